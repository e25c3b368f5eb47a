"""The batched path: what the portable path does, for packets that have a route, many at a time and in place.

A batch is received into the ring. A packet with a route is decrypted and renumbered where it lies (for each further
receiver, a copy in a spare place is); then all are encrypted again and sent together. Everything else is handed to
`Ingress` as if it had come alone. Until a packet is known to be ordinary it is looked at and nothing is changed, so
the portable path sees whatever is odd as it came.

The order of a stream is kept: what waits to be sent is sent before a packet goes the portable way, and what the
portable way sends waits before what comes after it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from array import array

from visits.relay import rtp, vp8
from visits.relay.arrivals import at_tick
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.hooks import InPlace
from visits.relay.ingress import Ingress
from visits.relay.mmsg import BATCH, Inbox, Outbox, address_word, word_address
from visits.relay.pacing import Pacer
from visits.relay.peer import Address
from visits.relay.resend import KEPT
from visits.relay.ring import HEAD, Ring
from visits.relay.routes import MAX_COPIES, Lane, Route, Routes, is_rtp
from visits.relay.shapes import NO_CLOCK, NO_SHIFT, Rewrite
from visits.relay.udp import UdpPort

ROUNDS = 8  # batches before other work of the loop gets its turn
COPIES = MAX_COPIES * BATCH  # packets for further receivers in one batch
LATE = 0x8000  # sequence numbers ahead: half of the circle is behind (RFC 1982)
FLAGS, UNMARKED = 0xFF80, 0xFF7F  # of a packet's first two bytes: all but the payload type, all but the marker
MARKER = 0x0080
USUAL = 0x80C080  # of a VP8 descriptor, read as a little-endian word: X, I, L and M
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
        self._outbox = Outbox(ring, BATCH + BATCH + COPIES)
        self._headers = struct.Struct(f">{HEAD}x{LONG.format[1:]}{ring.stride - HEAD - LONG.size}x")
        self._routes = Routes(ring)
        self._ready: list[Lane] = []  # to whom what lies ready in the ring goes
        self._copies: list[Lane] = []  # to whom the copies go, which begin in place `_copied`
        self._copied = self._spare = 0  # behind them: the next place for a copy
        self._clock = b""  # for abs-send-time
        self._clocks: dict[int, int] = {}  # see Routes.clocks
        self._pacer = Pacer(self._descriptor, self._look)
        self._ingress: Ingress

    def open(self, ingress: Ingress) -> None:
        """Start reading."""
        self._ingress = ingress
        self._pacer.start()

    def close(self) -> None:
        """Stop reading, send what waits, and free the port."""
        self._pacer.stop()
        self._post()
        self._sock.close()

    def send(self, data: bytes, address: Address) -> None:
        """Send a datagram: at once, or with all others where we look again soon. Raises nothing."""
        if not self._pacer.running:
            super().send(data, address)
            return
        try:
            name = address_word(address)
        except OSError:
            self._counters.note("send_failed")
            return
        if not self._outbox.mail(data, name):
            self._post()
            if not self._outbox.mail(data, name):
                super().send(data, address)

    def _post(self) -> None:
        """Send what is in the outbox."""
        lost = self._outbox.send(self._descriptor)
        self._counters["sends"] = self._outbox.calls
        if lost:
            self._counters["send_failed"] += lost

    def _look(self) -> int:
        """Move what has arrived; how many datagrams that were."""
        looked = 0
        for _ in range(ROUNDS):
            count = self._batch(time.monotonic())
            looked += count
            if count < BATCH:
                break
        if self._outbox.count:
            self._post()
        return looked

    def _batch(self, now: float) -> int:  # noqa: C901 - one loop with few calls is what makes it fast
        """Receive one batch, and send it on."""
        ring, inbox, counters = self._ring, self._inbox, self._counters
        first = ring.reserve(BATCH + COPIES, now)
        count = inbox.receive(self._descriptor, first)
        if count <= 0:
            counters["receive_failed"] -= count
            return 0
        memory, words, stride, lap, longest = ring.memory, ring.words, ring.stride, ring.lap, self._longest
        end = first + count
        by_key, unprotect, short, long = self._routes.by_key, self._srtp.unprotect, SHORT.pack_into, LONG.pack_into
        lengths = inbox.lengths[:count].tolist()
        ring.sizes[first:end] = array("Q", lengths)
        self._clock, tick = rtp.clock(now), at_tick(now)
        clocks = self._clocks = self._routes.clocks(self._clock)
        self._copied = self._spare = end
        run, ready = first, self._ready  # the places from `run` on are ready to go to these
        packets = zip(
            inbox.names[:count].tolist(),
            lengths,
            ring.packets[first:end],
            ring.lengths[first:end],
            range(lap + first, lap + end),
            range(first * stride + HEAD, end * stride, stride),
            self._headers.iter_unpack(memory[first * stride : end * stride]),
            strict=True,
        )
        reference = 0
        while True:
            try:
                for sender, length, packet, size, reference, at, header in packets:
                    head, sequence, timestamp, ssrc, block, front, tail = header
                    # 1. Is it the next packet of a steady stream, in the shape of the last one, and paid for?
                    route = by_key.get(sender << 32 | ssrc)
                    step = 0
                    if route is not None:
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
                        self._send(run)
                        run = reference - lap + 1
                        self._portable(bytes(memory[at : at + length]), sender, now)
                        clocks = self._clocks = self._routes.clocks(self._clock)  # there may be a new shape
                        continue
                    # 2. Decrypt it: from here on it is authentic, or ends here.
                    if unprotect(route.inward, packet, size):
                        self._send(run)
                        run = reference - lap + 1
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
                    if head & MARKER:
                        begin = (at + shape.start) // 4
                        route.frame = words[begin] | words[begin + 1] << 32
                    if shape.arrival_shift != NO_SHIFT:
                        route.arrivals.append(tick | front >> shape.arrival_shift & 0xFFFF)
                    elif shape.arrival_at:
                        number = memory[at + shape.arrival_at] << 8 | memory[at + shape.arrival_at + 1]
                        route.arrivals.append(tick | number)
                    # 3. For each receiver, under its slot's numbers; for the last one where it lies.
                    if route.copies:
                        self._copy(route, reference, header)
                    if not route.ends:
                        self._send(run)
                        run = reference - lap + 1
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
                    if route.moves:
                        self._renumber(at + shape.start, route)
                    route.entries[number % KEPT] = reference
                    ready.append(route)
                break
            except Exception as error:  # a mistake of ours: it must not cost more than this packet
                counters.fail("batch", error)
                self._send(run)
                run = reference - lap + 1
        self._send(run)
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

    def _copy(self, route: Route, reference: int, header: tuple[int, ...]) -> None:
        """Make the packets of all receivers but the last, in spare places."""
        ring, memory, shape, place, clocks = self._ring, self._ring.memory, route.shape, self._spare, self._clocks
        head, sequence, timestamp, _, block, first, second = header
        head &= FLAGS
        source = ring.packets[reference - ring.lap]
        length = ring.sizes[reference - ring.lap]
        move, last = self._srtp.move, None
        for lane, rewrite in zip(route.copies, shape.rewrites, strict=True):
            move(ring.packets[place], source, length)
            ring.sizes[place] = length
            number = sequence + lane.sequence_offset & 0xFFFF
            stamp = timestamp + lane.timestamp_offset & 0xFFFFFFFF
            at, flags = place * ring.stride + HEAD, head | lane.payload_type
            if rewrite is not last and shape.words:  # they are the same for most
                last = rewrite
                front = first & rewrite.front_keep | rewrite.front_put | clocks[rewrite.clock_at]
                tail = second & rewrite.tail_keep | rewrite.tail_put
            if shape.words == 2:
                SHORT.pack_into(memory, at, flags, number, stamp, lane.ssrc, block, front)
            elif shape.words == 3:
                LONG.pack_into(memory, at, flags, number, stamp, lane.ssrc, block, front, tail)
            else:
                self._write(at, flags, number, stamp, lane.ssrc, rewrite)
            if lane.moves:
                self._renumber(at + shape.start, lane)
            lane.entries[number % KEPT] = ring.lap + place
            place += 1
        self._copies += route.copies
        self._spare = place

    def _write(self, at: int, flags: int, number: int, stamp: int, ssrc: int, rewrite: Rewrite) -> None:
        """Write the header of the packet at byte `at`."""
        memory, words, begin = self._ring.memory, self._ring.words, at // 4
        FIXED.pack_into(memory, at, flags, number, stamp, ssrc)
        for word, keep, put in rewrite.changes:
            words[begin + word] = words[begin + word] & keep | put
        if rewrite.clock_at != NO_CLOCK:
            memory[at + rewrite.clock_at : at + rewrite.clock_at + rtp.CLOCK_BYTES] = self._clock

    def _renumber(self, at: int, lane: Lane) -> None:
        """Give the VP8 descriptor at byte `at` the slot's numbers, as `Numbering.write` does."""
        memory, words, begin = self._ring.memory, self._ring.words, at // 4
        word = words[begin]
        if word & USUAL == USUAL:
            picture = (word >> 8 & 0x7F00 | word >> 24) + lane.picture_offset
            words[begin] = word & 0xFFFF | (picture & 0x7F00 | 0x8000) << 8 | (picture & 0xFF) << 24
            memory[at + 4] = memory[at + 4] + lane.base_offset & 0xFF
            return
        descriptor = memory[at : at + vp8.DESCRIPTOR]
        numbers = vp8.read(bytes(descriptor), 0)
        if numbers is not None:
            lane.slot.numbering.write(descriptor, numbers)

    def _send(self, run: int) -> None:
        """Encrypt and send what is ready: the places from `run` on, and the copies."""
        if not self._ready and not self._copies:
            return
        self._close(run, self._ready)
        self._close(self._copied, self._copies)
        self._copied = self._spare
        self._post()

    def _close(self, first: int, lanes: list[Lane]) -> None:
        """Encrypt the packets from place `first` on for these, and put them into the outbox."""
        ring, end = self._ring, first + len(lanes)
        outward, names = [lane.outward for lane in lanes], [lane.destination for lane in lanes]
        refused = list(map(self._srtp.protect, outward, ring.packets[first:end], ring.lengths[first:end]))
        if not any(refused):
            self._outbox.put(first, names)
            self._counters["forwarded"] += len(lanes)
        else:
            for place, lane, why in zip(range(first, end), lanes, refused, strict=True):
                if why:
                    self._counters.refuse("srtp_protect", lane.slot.owner.peer_id)
                    lane.slot.sent.skip(ring.number(place), 1)  # it lies there in the clear
                else:
                    self._outbox.put(place, [lane.destination])
                    self._counters["forwarded"] += 1
        lanes.clear()

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
        if not is_rtp(packet):
            return
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.resume()
            with contextlib.suppress(ValueError):  # malformed, and counted by then
                self._routes.consider(peer, packet)
