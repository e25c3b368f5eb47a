"""The batched path: what the portable path does, for packets that have a route, many at a time and in place.

Compiled code receives, moves and sends what has a route (looking.py, compiled.py). Everything else is handed to
`Ingress` as if it had come alone: what has a route but is odd in its turn, since the order of a stream is kept, and
what has none (checks, handshakes, reports of trouble, what is new) behind the looks in which it came.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import numpy

from visits.relay import compiled, kernel, looking, mmsg
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.hooks import InPlace
from visits.relay.ingress import Ingress
from visits.relay.mmsg import BATCH, LENGTH, MESSAGE, Inbox, Outbox, address_word, word_address
from visits.relay.pacing import Pacer
from visits.relay.participants import Participants, is_report
from visits.relay.peer import Address, Peer
from visits.relay.ring import Ring
from visits.relay.routes import Routes, is_rtp
from visits.relay.tables import Tables
from visits.relay.tracks import missing_between
from visits.relay.udp import UdpPort


class BatchedPort(UdpPort):
    """The node's UDP port where Linux and pylibsrtp allow the batched path. OSError if there is no timer left."""

    name = "batched"

    def __init__(self, sock: socket.socket, limits: Limits, counters: Counters, srtp: InPlace) -> None:
        super().__init__(sock, limits, counters)
        self._ring = ring = Ring(srtp, limits.datagram, limits.ring)
        self._inbox = inbox = Inbox(limits.datagram)
        self._outbox = outbox = Outbox(ring.stride, BATCH + BATCH + looking.COPIES)
        tables = Tables()
        self._routes = Routes(tables, ring, srtp)
        self._participants = Participants(tables, srtp)
        self._deferred = numpy.zeros((looking.ROUNDS * BATCH, 3), "i8")
        self._events = numpy.zeros((compiled.EVENTS_AT_ONCE * BATCH, 4), "i8")
        self._pacer = Pacer(sock.fileno(), self._look)
        self._scratch = kernel.scratch(self._pacer.timer)
        self._system = numpy.array(
            [
                *kernel.addresses(), sock.fileno(), self._pacer.timer, inbox.address, outbox.address,
                int(kernel.ffi.cast("uintptr_t", self._scratch)),
            ],
            "i8",
        )  # fmt: skip
        book = numpy.zeros(compiled.BOOK, "i8")
        self._book = memoryview(book)  # type: ignore[arg-type]
        self._book[compiled.PROTECT], self._book[compiled.UNPROTECT] = srtp.protect, srtp.unprotect
        self._book[compiled.PROTECT_RTCP], self._book[compiled.UNPROTECT_RTCP] = srtp.protect_rtcp, srtp.unprotect_rtcp
        self._book[compiled.LONGEST] = limits.datagram
        memory = numpy.frombuffer(ring.memory, "u1")
        self._arrays = (
            memory, memory.view("u4"), tables.index, tables.routes, tables.lanes, tables.shapes, tables.rewrites,
            tables.participants, inbox.names, inbox.messages, inbox.vectors, outbox.names, outbox.vectors,
            self._deferred, self._events, ring.array, outbox.array, self._system, book,
        )  # fmt: skip
        # Compiled, or read from where it was kept, before it is needed, for an empty batch: nothing is received.
        self._book[compiled.OPEN] = 1
        looking.look(*self._arrays, 1)
        looking.post(outbox.array, self._system)
        tables.find(0, 0)
        self._ingress: Ingress

    def open(self, ingress: Ingress) -> None:
        """Start reading."""
        self._ingress = ingress
        self._pacer.start()

    def close(self) -> None:
        """Stop reading, send what waits, and free the port."""
        self._pacer.stop()
        self._post()
        self._count()
        self._sock.close()

    def send(self, data: bytes, address: Address) -> None:
        """Send a datagram: at once, or behind what waits, or with all where we look again soon. Raises nothing."""
        if not self._pacer.running and not self._outbox.book[mmsg.COUNT]:
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
        looking.post(self._outbox.array, self._system)

    def _count(self) -> None:
        """Bring the counts of compiled code into ours, and begin anew: once a look, which goes by them, is over."""
        counters, book, outbox = self._counters, self._book, self._outbox.book
        counters["sends"] = outbox[mmsg.CALLS]
        for name, at, words in (
            ("received", compiled.RECEIVED, book), ("batches", compiled.BATCHES, book),
            ("forwarded", compiled.FORWARDED, book), ("receive_failed", compiled.FAILED, book),
            ("send_failed", mmsg.LOST, outbox),
        ):  # fmt: skip
            if words[at]:
                counters[name] += words[at]
                words[at] = 0

    def _look(self, most: int) -> tuple[int, int]:
        """Look `most` times at most, and move what has arrived; how many looks and datagrams it were."""
        book = self._book
        book[compiled.LOOKS] = 0
        for _ in range(looking.ROUNDS):
            while (found := self._run(most)) != compiled.DONE:
                at = book[compiled.AT]
                length, sender = self._inbox.messages[at * MESSAGE + LENGTH], self._inbox.names[2 * at]
                book[compiled.AT] += 1
                if found == compiled.ODD or self._affords_late(int(sender)):
                    self._portable(book[compiled.FIRST] + at, int(length), int(sender))
            if book[compiled.DEFERRED]:
                left = self._deferred[: book[compiled.DEFERRED]].tolist()
                book[compiled.DEFERRED] = book[compiled.URGENT] = 0
                # Reports that were decrypted first: with what else waits an address may go to another peer.
                for place, length, sender in sorted(left, key=lambda each: each[1] >= 0):
                    self._portable(place, length, sender)
            if book[compiled.COUNT] < BATCH or book[compiled.BATCHES] >= looking.ROUNDS:
                break  # else more is there than was taken
        looks, count = book[compiled.LOOKS], book[compiled.RECEIVED]
        if self._outbox.book[mmsg.COUNT]:
            self._post()
        self._count()
        return looks, count

    def _run(self, most: int) -> int:
        """Let compiled code go on, until it is done or has come to a packet that must go the portable way."""
        book = self._book
        book[compiled.EVENTS] = 0
        try:
            return int(looking.look(*self._arrays, most))
        except Exception as error:  # a mistake of ours: it must not cost more than this packet
            self._counters.fail("batch", error)
            book[compiled.AT] = min(book[compiled.AT] + 1, book[compiled.COUNT])
            return compiled.DONE
        finally:
            if book[compiled.EVENTS]:
                self._hear(self._events[: book[compiled.EVENTS]].tolist())

    def _hear(self, events: list[list[int]]) -> None:
        """Do what the compiled loop has left to be done."""
        for kind, row, one, other in events:
            if kind == compiled.REPORT_REJECTED:
                self._counters.refuse("srtcp_rejected", self._participants.by_row[row].peer.peer_id)
                continue
            route = self._routes.by_row[row]
            if kind == compiled.OVER_BUDGET:
                self._counters.refuse("over_budget", route.track.owner.peer_id)
            elif kind == compiled.REJECTED:
                self._counters.refuse("srtp_rejected", route.track.owner.peer_id)
            elif kind == compiled.REFUSED:
                self._counters.refuse("srtp_protect", route.slots[one].owner.peer_id)
            elif kind == compiled.UNTOLD:
                self._ingress.forwarder.report_arrivals(route.track.owner, time.monotonic())
            else:
                route.track.owner.stir()
                for slot in route.slots:
                    slot.sent.forget(one + slot.sequence_offset & 0xFFFF, other - one & 0xFFFF)
                self._ingress.forwarder.ask_again(route.track, missing_between(one - 1, other))

    def _affords_late(self, sender: int) -> bool:
        """Whether the sender of a packet that came after one with a higher number pays for what that makes of work."""
        peer = self._ingress.roster.by_address.get(word_address(sender))
        if peer is None or peer.affords(compiled.LATE_COST):
            return True
        self._counters.refuse("over_budget", peer.peer_id)
        return False

    def _portable(self, place: int, length: int, sender: int) -> None:
        """Let the portable path have a packet, and see whether the next of its kind need it."""
        packet, source, now = self._ring.packet(place, abs(length)), word_address(sender), time.monotonic()
        if length < 0:
            self._ingress.report(packet, source, now)
            return
        if not is_rtp(packet):
            self._ingress.datagram(packet, source, now)
            if is_report(packet):
                self._consider(self._participants.consider, source, packet)
            return
        roster = self._ingress.roster
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.settle()
        self._ingress.datagram(packet, source, now)
        peer = roster.by_address.get(source)
        if peer is not None:
            peer.resume()
            self._consider(self._routes.consider, source, packet)

    def _consider(self, consider: Callable[[Peer, bytes], None], source: Address, packet: bytes) -> None:
        """See whether the next packets of that kind need not go the portable way."""
        peer = self._ingress.roster.by_address.get(source)
        if peer is None:
            return
        try:
            consider(peer, packet)
        except ValueError:  # malformed, and counted by then
            return
        except Exception as error:  # a mistake of ours: what else waits must not be lost with it
            self._counters.fail("route", error, peer.peer_id)
