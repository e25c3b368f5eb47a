"""The way of each steady stream, worked out once: whose packets, under which key, to whom, as what.

A route exists for an inbound stream while all that is to be done with its packets is the same every time. It is
found by the sender's address and the SSRC. What makes it untrue voids it at once (`Track.changed`, `Peer.changed`),
and the next packet goes the portable way, after which a new one is made. Keyframes that somebody waits for,
retransmissions, late packets and whatever is new or odd never have a route.

The compiled loop goes by the route's row (tables.py), takes what each packet costs from the peer's budget, and keeps
book in the row; `settle` brings that into the books of peer, track and slots. Whoever reads those does it first
(a clock, a report), as does the portable path before it sees a packet of the same sender, and who voids the route.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from visits.relay import rtp, vp8
from visits.relay.arrivals import Reception
from visits.relay.hooks import InPlace
from visits.relay.mmsg import address_word
from visits.relay.peer import ALLOWANCES, Peer
from visits.relay.ring import Ring
from visits.relay.shapes import Shape, shape_of
from visits.relay.slots import Slot
from visits.relay.tables import BOOKS_AT, COUNTS_AT, LANE, MAX_LANES, OWN_SHAPES, ROUTE, Tables
from visits.relay.tracks import Track

BOOKS = struct.Struct("=6qd")  # of a row, from `moved` on
WORD, FRAME, EXPECTED = struct.Struct("=q"), 24, 32  # where some of them stand
COUNTS = struct.Struct("=2q")  # of a lane


class Route:
    """What is done with the packets of one SSRC from one address, for the slots that show them."""

    __slots__ = ("_at", "_books", "_kept", "_missed", "_moved", "_octets", "_routes", "row", "slots", "track")

    def __init__(self, routes: Routes, row: int, track: Track, slots: list[Slot], kept: list[object]) -> None:
        self.row = row
        self.track = track
        self.slots = slots  # in the order of the row's lanes
        self._books = routes.tables.books
        self._at = row * ROUTE.itemsize + BOOKS_AT
        self._routes = routes
        self._kept = kept  # what the addresses in the row point to, and what frees it
        self._moved = self._missed = self._octets = 0  # as of the last settlement

    def void(self) -> None:
        """Be found no more."""
        self.settle()
        for number in self._known():
            self._routes.tables.release(number)
        self._routes.remove(self)

    def settle(self) -> None:
        """Let the books of others say what this route has done."""
        moved, missed, octets, frame, expected, timestamp, at = BOOKS.unpack_from(self._books, self._at)
        if moved == self._moved:
            return
        moved, self._moved = moved - self._moved, moved
        missed, self._missed = missed - self._missed, missed
        octets, self._octets = octets - self._octets, octets
        track, highest = self.track, expected - 1 & 0xFFFF
        track.last_packet_at = at
        track.owner.heard_at = max(track.owner.heard_at, at)
        track.highest = highest
        track.packets += moved
        track.octets += octets
        for slot in self.slots:
            slot.span += moved + missed
            slot.last_sequence = highest + slot.sequence_offset & 0xFFFF
            slot.last_timestamp = timestamp + slot.timestamp_offset & 0xFFFFFFFF
            slot.last_at = at
            slot.packets += moved
            slot.octets += octets
        if frame and track.kind == "video":
            WORD.pack_into(self._books, self._at + FRAME, 0)
            numbers = vp8.read(frame.to_bytes(8, "little", signed=True), 0)
            if numbers is not None:
                for slot in self.slots:
                    slot.numbering.note(numbers)

    def resume(self) -> None:
        """Go on behind the newest packet of the track, and behind what else its slots have sent. All is settled."""
        if self.track.highest is not None:
            WORD.pack_into(self._books, self._at + EXPECTED, self.track.highest + 1 & 0xFFFF)
        for number, slot in enumerate(self.slots):
            at = (self.row * MAX_LANES + number) * LANE.itemsize + COUNTS_AT
            COUNTS.pack_into(self._routes.tables.counts, at, slot.packets - self._moved, slot.octets - self._octets)

    def learn(self, shape: Shape) -> None:
        """Know packets of that shape from now on, if there is a number for it."""
        tables = self._routes.tables
        number = tables.hold(shape)
        if number is None:
            return
        known = [number, *self._known()]
        row = tables.routes[self.row]
        kept = list(dict.fromkeys(known))[:OWN_SHAPES]
        row["shapes"][: len(kept)] = kept
        row["known"] = len(kept)
        for gone in (Counter(known) - Counter(kept)).elements():
            tables.release(gone)

    def _known(self) -> list[int]:
        row = self._routes.tables.routes[self.row]
        return [int(number) for number in row["shapes"][: row["known"]]]


class Routes:
    """All routes, by their rows."""

    def __init__(self, tables: Tables, ring: Ring, srtp: InPlace) -> None:
        self.tables = tables
        self.by_row: dict[int, Route] = {}
        self._ring = ring
        self._srtp = srtp

    def remove(self, route: Route) -> None:
        """Let the route be found no more."""
        if self.by_row.pop(route.row, None) is not None:
            self.tables.remove(route.row)

    def consider(self, peer: Peer, packet: bytes) -> None:
        """The peer's SRTP packet has gone the portable way: see whether the next ones need not.

        ValueError if its header is malformed.
        """
        ssrc, sequence = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        track, is_rtx = peer.by_ssrc.get(ssrc, (None, False))
        if track is None or is_rtx or track.highest != sequence or packet[1] & 0x7F != track.payload_type:
            return  # it was not let through, or is late
        if not isinstance(track.route, Route) and (not track.steady or len(track.outputs) > MAX_LANES):
            return
        shape = shape_of(packet, track.extensions, [slot.extension_ids for slot in track.outputs])
        if not isinstance(track.route, Route):
            track.route = self._make(peer, track, ssrc)
        if isinstance(track.route, Route):
            track.route.learn(shape)

    def _make(self, peer: Peer, track: Track, ssrc: int) -> Route | None:
        if peer.address is None or peer.link is None or not peer.link.ready:
            return None
        sender = address_word(peer.address)
        old = self.by_row.get(self.tables.find(sender, ssrc))
        if old is not None:  # of who had the address before
            old.track.changed()
        lanes: list[tuple[Any, ...]] = []
        kept: list[object] = [peer]
        for slot in track.outputs:
            receiver = slot.owner
            if receiver.address is None or receiver.link is None or not receiver.link.ready:
                return None
            _, outward, keys = receiver.link.contexts()
            sent = slot.sent.lie_in(self._ring)
            kept += [keys, sent, slot.reported]
            lanes.append(
                (
                    self._srtp.pointer(outward), address_word(receiver.address), sent.buffer_info()[0],
                    as_word(slot.ssrc), slot.payload_type, slot.sequence_offset,
                    slot.timestamp_offset, slot.numbering.moves, slot.numbering.picture_offset,
                    slot.numbering.base_offset, slot.reported.book.buffer_info()[0], 0, 0,
                )
            )  # fmt: skip
        row = self.tables.add(sender, ssrc)
        if row is None:
            return None
        inward, outward, keys = peer.link.contexts()
        books = self.tables.routes[row]
        books["inward"] = self._srtp.pointer(inward)
        books["purse"] = peer.purse.buffer_info()[0]
        books["allowance"] = books["purse"] + 8 * ALLOWANCES[track.kind]
        books["arrivals"] = peer.arrivals.book.buffer_info()[0]
        books["outward"] = self._srtp.pointer(outward)
        books["reported"] = as_word(peer.reported_ssrc)
        reception = peer.receptions.setdefault(ssrc, Reception())
        books["heard"] = reception.heard.buffer_info()[0]
        books["lanes"] = len(lanes)
        self.tables.lanes[row, : len(lanes)] = lanes
        route = self.by_row[row] = Route(self, row, track, list(track.outputs), [keys, reception, *kept])
        route.resume()
        return route


def as_word(ssrc: int) -> int:
    """An SSRC as a word of a packet: big-endian."""
    return int.from_bytes(ssrc.to_bytes(4, "big"), "little")


def is_rtp(packet: bytes) -> bool:
    """Whether a datagram is RTP, by its first two bytes and its length."""
    return len(packet) >= rtp.HEADER.size and 128 <= packet[0] <= 191 and not rtp.is_rtcp(packet)
