"""The batched path: what the portable path does, for packets that have a route, many at a time and in place.

A batch is received into the ring. A packet with a route is decrypted, renumbered and encrypted again where it lies
(for each further receiver, a copy in a spare place is), and all are sent together. Everything else is handed to
`Ingress` as if it had come alone. Until a packet is known to be ordinary it is looked at and nothing is changed, so
the portable path sees whatever is odd as it came.

The order of a stream is kept: what waits to be sent is sent before a packet goes the portable way.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from array import array

from visits.relay import rtp
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.hooks import InPlace
from visits.relay.ingress import Ingress
from visits.relay.mmsg import BATCH, Inbox, Outbox, word_address
from visits.relay.pacing import Pacer
from visits.relay.resend import KEPT
from visits.relay.ring import HEAD, Ring
from visits.relay.routes import MAX_COPIES, Route, Routes, is_rtp
from visits.relay.shapes import NO_CLOCK, Rewrite
from visits.relay.udp import UdpPort

ROUNDS = 8  # batches before other work of the loop gets its turn
COPIES = MAX_COPIES * BATCH  # packets for further receivers in one batch
LATE = 0x8000  # sequence numbers ahead: half of the circle is behind (RFC 1982)
FLAGS, UNMARKED = 0xFF80, 0xFF7F  # of a packet's first two bytes: all but the payload type, all but the marker
FIXED = struct.Struct(">HHII")  # flags with payload type, sequence number, timestamp, SSRC
SHORT = struct.Struct(">HHIIIQ")  # and the extension block's head and two words of elements (Shape.front)
LONG = struct.Struct(">HHIIIQI")  # or three (Shape.tail)


class BatchedPort(UdpPort):
    """The node's UDP port where Linux and pylibsrtp allow the batched path. OSError if there is no timer left."""

    name = "batched"

    def __init__(self, sock: socket.socket, limits: Limits, counters: Counters, srtp: InPlace) -> None:
        super().__init__(sock, limits, counters)
        self._descriptor = sock.fileno()
        self._longest = limits.datagram
        self._srtp = srtp
        self._ring = ring = Ring(srtp, limits.datagram, limits.ring)
        self._inbox = Inbox(ring, limits.datagram)
        self._outbox = Outbox(ring, BATCH + COPIES)
        self._headers = struct.Struct(f">{HEAD}x{LONG.format[1:]}{ring.stride - HEAD - LONG.size}x")
        self._routes = Routes(ring)
        self._names: list[int] = []  # of who gets what lies ready in the ring
        self._copy_names: list[int] = []  # of who gets the copies, which begin in place `_copied`
        self._copied = self._spare = 0  # behind them: the next place for a copy
        self._clock = b""  # for abs-send-time
        self._pacer = Pacer(self._descriptor, self._look)
        self._ingress: Ingress

    def open(self, ingress: Ingress) -> None:
        """Start reading."""
        self._ingress = ingress
        self._pacer.start()

    def close(self) -> None:
        """Stop reading and free the port."""
        self._pacer.stop()
        self._sock.close()

    def _look(self) -> int:
        """Move what has arrived; how many datagrams that were."""
        looked = 0
        for _ in range(ROUNDS):
            count = self._batch(time.monotonic())
            looked += count
            if count < BATCH:
                break
        return looked

    def _batch(self, now: float) -> int:  # noqa: C901 - one loop with few calls is what makes it fast
        """Receive one batch, and send it on."""
        ring, inbox, counters, by_address = self._ring, self._inbox, self._counters, self._routes.by_address
        first = ring.reserve(BATCH + COPIES, now)
        count = inbox.receive(self._descriptor, first)
        if count <= 0:
            counters["receive_failed"] -= count
            return 0
        memory, stride, lap, longest, end = ring.memory, ring.stride, ring.lap, self._longest, first + count
        unprotect, protect, short, long = self._srtp.unprotect, self._srtp.protect, SHORT.pack_into, LONG.pack_into
        lengths = inbox.lengths[:count].tolist()
        ring.sizes[first:end] = array("Q", lengths)
        self._clock = rtp.clock(now)
        clocks = self._routes.clocks(self._clock)
        self._copied = self._spare = end
        run, names = first, self._names  # the places from `run` on are ready to go to these
        for sender, length, packet, size, reference, at, (head, sequence, timestamp, ssrc, block, front, tail) in zip(
            inbox.names[:count].tolist(),
            lengths,
            ring.packets[first:end],
            ring.lengths[first:end],
            range(lap + first, lap + end),
            range(first * stride + HEAD, end * stride, stride),
            self._headers.iter_unpack(memory[first * stride : end * stride]),
            strict=True,
        ):
            sent = False
            try:
                # 1. Is it the next packet of a steady stream, in the shape of the last one, and paid for?
                home = by_address.get(sender)
                route = home.get(ssrc) if home is not None else None
                if route is None:
                    step = 0
                else:
                    shape = route.shape
                    if (
                        sequence == route.expected
                        and route.left
                        and shape.shortest <= length <= longest
                        and head & UNMARKED == shape.head
                        and block == shape.block
                        and front & shape.front_mask == shape.front
                        and tail & shape.tail_mask == shape.tail
                    ):
                        step = 1
                    else:
                        step = self._step(route, at, length, head, sequence)
                        shape = route.shape
                if route is None or not step:
                    self._send(run, names)
                    self._portable(bytes(memory[at : at + length]), sender, now)
                    clocks = self._routes.clocks(self._clock)  # there may be a new shape
                    continue
                # 2. Decrypt it: from here on it is authentic, or ends here.
                if unprotect(route.inward, packet, size):
                    route.peer.affords()
                    counters.refuse("srtp_rejected", route.peer.peer_id)
                    continue
                if step != 1:
                    route.skip(sequence)
                    self._ingress.forwarder.repair(route.track, sequence)
                route.expected = sequence + 1 & 0xFFFF
                route.left -= 1
                route.octets += length
                route.timestamp = timestamp
                route.at = now
                if shape.arrival_at:
                    number = memory[at + shape.arrival_at] << 8 | memory[at + shape.arrival_at + 1]
                    route.peer.arrivals.note(number, now)
                # 3. To each receiver under its slot's numbers and key; to the last one from where it lies.
                if route.copies:
                    self._copy(route, reference, head, sequence, timestamp)
                if not route.ends:
                    continue
                number = sequence + route.sequence_offset & 0xFFFF
                flags = head & FLAGS | route.payload_type
                stamp = timestamp + route.timestamp_offset & 0xFFFFFFFF
                if shape.words == 2:
                    front = front & shape.front_keep | shape.front_put | clocks[shape.clock_at]
                    short(memory, at, flags, number, stamp, route.ssrc, block, front)
                elif shape.words == 3:
                    front = front & shape.front_keep | shape.front_put | clocks[shape.clock_at]
                    tail = tail & shape.tail_keep | shape.tail_put
                    long(memory, at, flags, number, stamp, route.ssrc, block, front, tail)
                else:
                    self._write(at, flags, number, stamp, route.ssrc, shape)
                if protect(route.outward, packet, size):
                    counters.refuse("srtp_protect", route.slot.owner.peer_id)
                    continue
                route.entries[number % KEPT] = reference
                names.append(route.destination)
                sent = True
            except Exception as error:  # a mistake of ours: it must not cost more than this packet
                counters.fail("batch", error)
            finally:
                if not sent:
                    self._send(run, names)
                    run = reference - lap + 1
        self._send(run, names)
        ring.used(self._spare - first)
        counters["batches"] += 1
        counters["received"] += count
        return count

    def _step(self, route: Route, at: int, length: int, head: int, sequence: int) -> int:
        """How far a packet is ahead of the last one of its route. 0: it must go the portable way."""
        shape = route.recognise(self._ring.words, at // 4, head & UNMARKED)
        ahead = sequence - route.expected & 0xFFFF
        if shape is None or not shape.shortest <= length <= self._longest or ahead >= LATE:
            return 0
        return ahead + 1 if route.left or route.pay() else 0

    def _copy(self, route: Route, reference: int, head: int, sequence: int, timestamp: int) -> None:
        """Make the packets of all receivers but the last, in spare places."""
        ring, source = self._ring, reference - self._ring.lap
        length = ring.sizes[source]
        for lane, rewrite in zip(route.copies, route.shape.rewrites, strict=True):
            place = self._spare
            packet, size = ring.packets[place], ring.lengths[place]
            self._srtp.move(packet, ring.packets[source], length)
            ring.sizes[place] = length
            number = sequence + lane.sequence_offset & 0xFFFF
            stamp = timestamp + lane.timestamp_offset & 0xFFFFFFFF
            flags = head & FLAGS | lane.payload_type
            self._write(place * ring.stride + HEAD, flags, number, stamp, lane.ssrc, rewrite)
            if self._srtp.protect(lane.outward, packet, size):
                self._counters.refuse("srtp_protect", lane.slot.owner.peer_id)
                continue
            lane.entries[number % KEPT] = self._ring.lap + place
            self._copy_names.append(lane.destination)
            self._spare += 1

    def _write(self, at: int, flags: int, number: int, stamp: int, ssrc: int, rewrite: Rewrite) -> None:
        """Write the header of the packet at byte `at`."""
        memory, words, begin = self._ring.memory, self._ring.words, at // 4
        FIXED.pack_into(memory, at, flags, number, stamp, ssrc)
        for word, keep, put in rewrite.changes:
            words[begin + word] = words[begin + word] & keep | put
        if rewrite.clock_at != NO_CLOCK:
            memory[at + rewrite.clock_at : at + rewrite.clock_at + rtp.CLOCK_BYTES] = self._clock

    def _send(self, run: int, names: list[int]) -> None:
        """Send what is ready: the places from `run` on to `names`, and the copies."""
        if not names and not self._copy_names:
            return
        count = self._outbox.put(0, run, names)
        count = self._outbox.put(count, self._copied, self._copy_names)
        lost = self._outbox.send(self._descriptor, count)
        names.clear()
        self._copy_names.clear()
        self._copied = self._spare
        self._counters["forwarded"] += count
        self._counters["sends"] = self._outbox.calls
        if lost:
            self._counters["send_failed"] += lost

    def _portable(self, packet: bytes, sender: int, now: float) -> None:
        """Let the portable path have a datagram, and see whether the next of its kind need it."""
        source, roster = word_address(sender), self._ingress.roster
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.settle()
            if rtp.is_rtcp(packet):  # reports and requests are about what it has received
                for slot in peer.every_slot():
                    if slot.source is not None and slot.source.route is not None:
                        slot.source.route.settle()
        self._ingress.datagram(packet, source, now)
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.resume()
            if is_rtp(packet):
                with contextlib.suppress(ValueError):  # malformed, and counted by then
                    self._routes.consider(peer, packet)
