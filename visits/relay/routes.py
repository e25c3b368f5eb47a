"""The way of each steady stream, worked out once: whose packets, under which key, to whom, as what.

A route exists for an inbound stream while all that is to be done with its packets is the same every time. It is
found by the sender's address and the SSRC as they stand in memory. What makes it untrue voids it at once
(`Track.changed`, `Peer.changed`), and the next packet goes the portable way, after which a new one is made.
Keyframes that somebody waits for, retransmissions, losses and whatever is new or odd never have a route.
"""

from __future__ import annotations

from typing import Any

from visits.relay import rtp
from visits.relay.mmsg import address_word
from visits.relay.peer import Peer
from visits.relay.ring import Ring
from visits.relay.shapes import Shape
from visits.relay.slots import Slot
from visits.relay.tracks import Track

MAX_SHAPES = 8  # of one stream; what has more is sent by somebody who wants to be expensive


class Lane:
    """From a route to one receiver. `number` is its place among the route's lanes, `last` if none follows."""

    __slots__ = ("context", "destination", "entries", "last", "number", "slot")

    def __init__(self, slot: Slot, context: Any, destination: int, number: int, *, last: bool) -> None:
        self.slot = slot
        self.context = context  # libsrtp's, of the receiver
        self.destination = destination  # address word
        self.entries = slot.sent.entries
        self.number = number
        self.last = last


class Route:
    """What is done with the packets of one SSRC from one address (`key`: their words)."""

    __slots__ = ("_keys", "_table", "context", "copies", "key", "lanes", "peer", "shape", "shapes", "track")

    def __init__(
        self, table: Routes, key: tuple[int, int], track: Track, context: Any, lanes: tuple[Lane, ...], keys: object
    ) -> None:
        self.key = key
        self.peer = track.owner
        self.track = track
        self.context = context  # libsrtp's, of the publisher
        self.lanes = lanes
        self.copies = max(0, len(lanes) - 1)  # places that a packet needs beside its own
        self.shapes: list[Shape] = []  # seen so far
        self.shape: Shape | None = None  # of the last packet
        self._keys = keys  # what the contexts are freed with
        self._table = table

    def void(self) -> None:
        """Be found no more."""
        self._table.remove(self)

    def learn(self, packet: bytes) -> None:
        """Know packets shaped like this one from now on. ValueError if it is malformed."""
        self.shape = Shape(packet, self.track.extensions, [lane.slot.extension_ids for lane in self.lanes])
        self.shapes = [self.shape, *self.shapes[: MAX_SHAPES - 1]]

    def recognise(self, words: memoryview, begin: int, head: int) -> Shape | None:
        """The shape of the packet that begins at word `begin` with `head`, if it was learned."""
        for shape in self.shapes:
            if head in shape.heads and all(words[begin + at] & mask == word for at, mask, word in shape.checks):
                self.shape = shape
                return shape
        return None


class Routes:
    """All routes, by the sender's address word and the SSRC's word."""

    def __init__(self, ring: Ring) -> None:
        self.by_address: dict[int, dict[int, Route]] = {}
        self._ring = ring

    def remove(self, route: Route) -> None:
        """Let the route be found no more."""
        address, ssrc = route.key
        home = self.by_address.get(address, {})
        if home.get(ssrc) is route:
            del home[ssrc]
            if not home:
                del self.by_address[address]

    def consider(self, peer: Peer, packet: bytes) -> None:
        """The peer's SRTP packet has gone the portable way: see whether the next ones need not.

        ValueError if its header is malformed.
        """
        ssrc, sequence = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        track, is_rtx = peer.by_ssrc.get(ssrc, (None, False))
        if track is None or is_rtx or track.highest != sequence or packet[1] & 0x7F != track.payload_type:
            return  # it was not let through, or is late
        if track.route is None and track.steady:
            track.route = self._make(peer, track, ssrc)
        if isinstance(track.route, Route):
            track.route.learn(packet)

    def _make(self, peer: Peer, track: Track, ssrc: int) -> Route | None:
        if peer.address is None or peer.link is None or not peer.link.ready:
            return None
        context, _, keys = peer.link.contexts()
        kept = [keys]
        lanes: list[Lane] = []
        for slot in track.outputs:
            receiver = slot.owner
            if receiver.address is None or receiver.link is None or not receiver.link.ready:
                return None
            _, outward, keys = receiver.link.contexts()
            kept.append(keys)
            number, destination = len(lanes), address_word(receiver.address)
            lanes.append(Lane(slot, outward, destination, number, last=number == len(track.outputs) - 1))
            slot.sent.packets = self._ring
        key = address_word(peer.address), int.from_bytes(ssrc.to_bytes(4, "big"), "little")
        route = Route(self, key, track, context, tuple(lanes), kept)
        self.by_address.setdefault(key[0], {})[key[1]] = route
        return route


def is_rtp(packet: bytes) -> bool:
    """Whether a datagram is RTP, by its first two bytes and its length."""
    return len(packet) >= rtp.HEADER.size and 128 <= packet[0] <= 191 and not rtp.is_rtcp(packet)
