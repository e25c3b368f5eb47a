"""The batched path: what the portable path does, for packets that have a route, many at a time and in place.

A batch is received into the ring. A packet with a route is decrypted, renumbered and encrypted again where it lies
(for each further receiver, a copy in a spare place is), and all are sent together. Everything else is handed to
`Ingress` as if it had come alone. Until a packet is known to be ordinary it is looked at and nothing is changed, so
the portable path sees whatever is odd as it came.

The order of a stream is kept: what waits in the outbox is sent before a packet goes the portable way.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from visits.relay import rtp
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.hooks import InPlace
from visits.relay.ingress import Ingress
from visits.relay.mmsg import BATCH, LENGTH_AT, LENGTH_STEP, NAME_STEP, VECTOR_STEP, Inbox, Outbox, word_address
from visits.relay.pacing import Pacer
from visits.relay.resend import KEPT
from visits.relay.ring import HEAD, Ring
from visits.relay.routes import Routes, is_rtp
from visits.relay.shapes import Shape
from visits.relay.udp import UdpPort

ROUNDS = 8  # batches before other work of the loop gets its turn
COPIES = 8 * BATCH  # packets for further receivers in one batch
PACKET_AT = HEAD // 4  # 32-bit words from the start of a place
SSRC_AT = PACKET_AT + 2
LATE = 0x8000  # sequence numbers ahead: half of the circle is behind (RFC 1982)
FRONT = struct.Struct(">HHI")  # of an RTP header: flags and payload type, sequence number, timestamp
WHOLE = struct.Struct(">HHII")  # and the SSRC


class BatchedPort(UdpPort):
    """The node's UDP port where Linux and pylibsrtp allow the batched path. OSError if there is no timer left."""

    name = "batched"

    def __init__(self, sock: socket.socket, limits: Limits, counters: Counters, srtp: InPlace) -> None:
        super().__init__(sock, limits, counters)
        self._descriptor = sock.fileno()
        self._longest = limits.datagram
        self._srtp = srtp
        self._ring = Ring(srtp, limits.datagram, limits.ring)
        self._inbox = Inbox(self._ring, limits.datagram)
        self._outbox = Outbox(BATCH + COPIES)
        self._routes = Routes(self._ring)
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

    def _batch(self, now: float) -> int:  # noqa: C901 - one loop without calls is what makes it fast
        """Receive one batch, and send it on."""
        ring, inbox, outbox, counters, ingress = self._ring, self._inbox, self._outbox, self._counters, self._ingress
        first = ring.reserve(BATCH + COPIES, now)
        count = inbox.receive(self._descriptor, first)
        if count <= 0:
            counters["receive_failed"] -= count
            return 0
        memory, words, stride, lap = ring.memory, ring.words, ring.stride // 4, ring.lap
        packets, lengths, addresses = ring.packets, ring.lengths, ring.addresses
        senders, sizes, receivers, vectors = inbox.names, inbox.lengths, outbox.names, outbox.vectors
        unprotect, protect, unpack, pack = self._srtp.unprotect, self._srtp.protect, FRONT.unpack_from, WHOLE.pack_into
        by_address, longest = self._routes.by_address, self._longest
        early, middle, late = rtp.clock(now)
        spare, end = first + count, first + BATCH + COPIES
        waiting = forwarded = 0
        for i in range(count):
            place = first + i
            start = place * stride
            packet = start + PACKET_AT
            length = sizes[i * LENGTH_STEP + LENGTH_AT]
            home = by_address.get(senders[i * NAME_STEP])
            route = home.get(words[start + SSRC_AT]) if home is not None else None
            try:
                # 1. Is it a newer packet of a steady stream, in a known shape, and can its sender afford it?
                shape: Shape | None = None
                if route is not None:
                    head, sequence, timestamp = unpack(memory, packet * 4)
                    track, peer, shape = route.track, route.peer, route.shape
                    if shape is None or head not in shape.heads:
                        shape = route.recognise(words, packet, head)
                    else:
                        for at, mask, value in shape.checks:
                            if words[packet + at] & mask != value:
                                shape = route.recognise(words, packet, head)
                                break
                if (
                    route is None
                    or shape is None
                    or track.highest is None
                    or not 0 < (step := sequence - track.highest & 0xFFFF) < LATE
                    or not shape.shortest <= length <= longest
                    or peer.budget < 1
                    or peer.away
                    or spare + route.copies > end
                ):
                    if waiting:
                        forwarded += self._send(waiting)
                        waiting = 0
                    self._portable(bytes(memory[packet * 4 : packet * 4 + length]), senders[i * NAME_STEP], now)
                    continue
                # 2. Decrypt it: from here on it is authentic, or ends here.
                peer.budget -= 1
                words[start] = length
                if unprotect(route.context, packets[place], lengths[place]):
                    counters.refuse("srtp_rejected", peer.peer_id)
                    continue
                plain = words[start]
                octets = plain - shape.start
                peer.heard_at = track.last_packet_at = now
                if step == 1:
                    track.highest = sequence
                else:
                    ingress.forwarder.repair(track, sequence)
                track.packets += 1
                track.octets += octets
                if shape.arrival_at:
                    at = packet * 4 + shape.arrival_at
                    peer.arrivals.note(memory[at] << 8 | memory[at + 1], now)
                # 3. To each receiver under its slot's numbers and key. The last one gets it where it lies.
                flags = shape.heads[head]
                for lane in route.lanes:
                    if lane.last:
                        target, begin = place, packet
                    else:
                        target, begin = spare, spare * stride + PACKET_AT
                        spare += 1
                        words[begin - PACKET_AT] = plain
                        self._srtp.move(packets[target], packets[place], plain)
                    slot, rewrite = lane.slot, shape.rewrites[lane.number]
                    number = sequence + slot.sequence_offset & 0xFFFF
                    stamp = timestamp + slot.timestamp_offset & 0xFFFFFFFF
                    pack(memory, begin * 4, flags | slot.payload_type, number, stamp, slot.ssrc)
                    for at, stays, put in rewrite.changes:
                        words[begin + at] = words[begin + at] & stays | put
                    if rewrite.clock_at:
                        at = begin * 4 + rewrite.clock_at
                        memory[at], memory[at + 1], memory[at + 2] = early, middle, late
                    if protect(lane.context, packets[target], lengths[target]):
                        counters.refuse("srtp_protect", slot.owner.peer_id)
                        continue
                    receivers[waiting * NAME_STEP] = lane.destination
                    vectors[waiting * VECTOR_STEP] = addresses[target]
                    vectors[waiting * VECTOR_STEP + 1] = words[begin - PACKET_AT]
                    waiting += 1
                    lane.entries[number % KEPT] = lap + target
                    slot.last_sequence, slot.last_timestamp, slot.last_at = number, stamp, now
                    slot.span += step
                    slot.packets += 1
                    slot.octets += octets
                    slot.rate_octets += octets
            except Exception as error:  # a mistake of ours: it must not cost more than this packet
                counters.fail("batch", error)
        if waiting:
            forwarded += self._send(waiting)
        ring.used(spare - first)
        counters["batches"] += 1
        counters["received"] += count
        counters["forwarded"] += forwarded
        return count

    def _send(self, count: int) -> int:
        """Send what waits in the outbox; how many that were."""
        lost = self._outbox.send(self._descriptor, count)
        if lost:
            self._counters["send_failed"] += lost
        self._counters["sends"] = self._outbox.calls
        return count

    def _portable(self, packet: bytes, sender: int, now: float) -> None:
        """Let the portable path have a datagram, and see whether the next of its kind need it."""
        source = word_address(sender)
        self._ingress.datagram(packet, source, now)
        peer = self._ingress.roster.by_address.get(source)
        if peer is not None and is_rtp(packet):
            with contextlib.suppress(ValueError):  # malformed, and counted by then
                self._routes.consider(peer, packet)
