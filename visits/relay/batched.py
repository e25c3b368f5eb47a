"""The batched path: what the portable path does, for packets that have a route, many at a time and in place.

A batch is received into the ring, and the compiled loop (compiled.py) moves what has a route. Everything else is
handed to `Ingress` as if it had come alone: what has a route but is odd in its turn, since the order of a stream is
kept, and what has none (reports, checks, handshakes, what is new) behind the batch.
"""

from __future__ import annotations

import contextlib
import socket
import time

import numpy

from visits.relay import compiled, rtp
from visits.relay.arrivals import at_tick
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.hooks import InPlace
from visits.relay.ingress import Ingress
from visits.relay.mmsg import BATCH, LENGTH, MESSAGE, Inbox, Outbox, address_word, word_address
from visits.relay.pacing import Pacer
from visits.relay.peer import Address
from visits.relay.ring import HEAD, Ring
from visits.relay.routes import Routes, is_rtp
from visits.relay.tables import MAX_LANES
from visits.relay.tracks import missing_between
from visits.relay.udp import UdpPort

ROUNDS = 8  # batches before other work of the loop gets its turn
COPIES = (MAX_LANES - 1) * BATCH  # packets for further receivers in one batch


class BatchedPort(UdpPort):
    """The node's UDP port where Linux and pylibsrtp allow the batched path. OSError if there is no timer left."""

    name = "batched"

    def __init__(self, sock: socket.socket, limits: Limits, counters: Counters, srtp: InPlace) -> None:
        super().__init__(sock, limits, counters)
        self._descriptor = sock.fileno()
        self._ring = ring = Ring(srtp, limits.datagram, limits.ring)
        self._inbox = inbox = Inbox(ring, limits.datagram)
        self._outbox = outbox = Outbox(ring.stride, BATCH + BATCH + COPIES)
        self._routes = Routes(ring, srtp)
        self._deferred = numpy.zeros(BATCH, "i8")
        self._events = numpy.zeros((compiled.EVENTS_AT_ONCE * BATCH, 4), "i8")
        book = numpy.zeros(compiled.BOOK, "i8")
        self._book = memoryview(book)  # type: ignore[arg-type]
        self._book[compiled.PROTECT], self._book[compiled.UNPROTECT] = srtp.protect, srtp.unprotect
        self._book[compiled.BASE_ADDRESS], self._book[compiled.STRIDE] = ring.base, ring.stride
        self._book[compiled.LONGEST] = limits.datagram
        tables, memory = self._routes.tables, numpy.frombuffer(ring.memory, "u1")
        self._arrays = (
            memory, memory.view("u4"), tables.index, tables.routes, tables.lanes, tables.shapes, tables.rewrites,
            inbox.names, inbox.messages, outbox.names, outbox.vectors, self._deferred, self._events, book,
        )  # fmt: skip
        self._forward = compiled.forward
        self._forward(
            *self._arrays, 0.0
        )  # nothing: it is compiled, or read from where it was kept, before it is needed
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
        """Send a datagram: at once, or behind what waits, or with all where we look again soon. Raises nothing."""
        if not self._pacer.running and not self._outbox.count:
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
        return looked

    def _batch(self, now: float) -> int:
        """Receive one batch, and send it on."""
        ring, book = self._ring, self._book
        first = ring.reserve(BATCH + COPIES, now)
        count = self._inbox.receive(self._descriptor, first)
        if count <= 0:
            self._counters["receive_failed"] -= count
            count = 0
        else:
            book[compiled.FIRST], book[compiled.COUNT], book[compiled.LAP] = first, count, ring.lap
            book[compiled.CLOCK], book[compiled.TICK] = int.from_bytes(rtp.clock(now), "big"), at_tick(now)
            book[compiled.AT], book[compiled.SPARE], book[compiled.DEFERRED] = 0, first + count, 0
            while not self._move(now):
                self._portable(first, book[compiled.AT], now)
                book[compiled.AT] += 1
            ring.used(book[compiled.SPARE] - first)
            for at in self._deferred[: book[compiled.DEFERRED]].tolist():
                self._portable(first, at, now)
            self._counters["batches"] += 1
            self._counters["received"] += count
        if self._outbox.count:
            self._post()
        return count

    def _move(self, now: float) -> bool:
        """Let the compiled loop go on; False if it has come to a packet that must go the portable way."""
        book, outbox = self._book, self._outbox
        waited = book[compiled.OUT] = outbox.count
        book[compiled.EVENTS] = 0
        try:
            return bool(self._forward(*self._arrays, now) == compiled.DONE)
        except Exception as error:  # a mistake of ours: it must not cost more than this packet
            self._counters.fail("batch", error)
            book[compiled.AT] += 1
            return book[compiled.AT] >= book[compiled.COUNT]
        finally:
            outbox.count = book[compiled.OUT]
            self._counters["forwarded"] += outbox.count - waited
            if book[compiled.EVENTS]:
                self._hear(self._events[: book[compiled.EVENTS]].tolist())

    def _hear(self, events: list[list[int]]) -> None:
        """Do what the compiled loop has left to be done."""
        for kind, row, one, other in events:
            route = self._routes.by_row[row]
            if kind == compiled.REJECTED:
                self._counters.refuse("srtp_rejected", route.track.owner.peer_id)
            elif kind == compiled.REFUSED:
                self._counters.refuse("srtp_protect", route.slots[one].owner.peer_id)
            else:
                for slot in route.slots:
                    slot.sent.forget(one + slot.sequence_offset & 0xFFFF, other - one & 0xFFFF)
                self._ingress.forwarder.ask_again(route.track, missing_between(one - 1, other))

    def _portable(self, first: int, at: int, now: float) -> None:
        """Let the portable path have a packet of the batch, and see whether the next of its kind need it."""
        begin = (first + at) * self._ring.stride + HEAD
        length = self._inbox.messages[at * MESSAGE + LENGTH]
        packet, source = bytes(self._ring.memory[begin : begin + length]), word_address(int(self._inbox.names[2 * at]))
        if not is_rtp(packet):
            self._ingress.datagram(packet, source, now)
            return
        roster = self._ingress.roster
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.settle()
        self._ingress.datagram(packet, source, now)
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.resume()
            with contextlib.suppress(ValueError):  # malformed, and counted by then
                self._routes.consider(peer, packet)
