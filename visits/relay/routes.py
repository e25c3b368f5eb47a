"""The way of each steady stream, worked out once: whose packets, under which key, to whom, as what.

A route exists for an inbound stream while all that is to be done with its packets is the same every time. It is
found by the sender's address and the SSRC. What makes it untrue voids it at once (`Track.changed`, `Peer.changed`),
and the next packet goes the portable way, after which a new one is made. Keyframes that somebody waits for,
retransmissions, late packets and whatever is new or odd never have a route.

A route pays for its packets in advance and keeps book of them by itself: `settle` brings what it has moved into the
books of its peer, track and slots. That is done five times a second, before the portable path sees a packet of the
same sender, and when the route is voided.

What each packet needs is kept close together and shared where it is the same, such as shapes: a node has hundreds of
streams, each of them silent for most of a batch, and what is not in the processor's cache costs more than any step.
"""

from __future__ import annotations

from typing import Any

from visits.relay import rtp, vp8
from visits.relay.arrivals import MAX_NOTED
from visits.relay.mmsg import address_word
from visits.relay.peer import Peer
from visits.relay.ring import Ring
from visits.relay.shapes import NO_CLOCK, Shape, clock_in_front
from visits.relay.slots import Slot
from visits.relay.tracks import Track

MAX_SHAPES = 8  # of one stream; what has more is sent by somebody who wants to be expensive
MAX_COPIES = 8  # of one packet
MAX_KNOWN = 1000  # shapes of all streams
PREPAID = 64  # packets


def route_key(sender: int, ssrc: int) -> int:
    """How a route is found: by the sender's address word and the SSRC."""
    return sender << 32 | ssrc


class Lane:
    """To one receiver, under the slot's numbers."""

    __slots__ = (
        "base_offset", "destination", "entries", "moves", "outward", "payload_type", "picture_offset",
        "sequence_offset", "slot", "ssrc", "timestamp_offset",
    )  # fmt: skip

    def __init__(self, slot: Slot, outward: Any, destination: int) -> None:
        self.slot = slot
        self.outward = outward  # libsrtp's context, of the receiver
        self.destination = destination  # address word
        self.entries = slot.sent.entries
        self.payload_type = slot.payload_type
        self.ssrc = slot.ssrc
        self.sequence_offset = slot.sequence_offset
        self.timestamp_offset = slot.timestamp_offset
        self.moves = slot.numbering.moves
        self.picture_offset = slot.numbering.picture_offset
        self.base_offset = slot.numbering.base_offset


class Route(Lane):
    """What is done with the packets of one SSRC from one address (`key`: see `route_key`).

    It is itself the lane to the last receiver, whose packet is made where the publisher's lies (`ends`: there is
    one); `copies` are those to the others. Few objects: after each pause memory is cold, and that is what costs.
    """

    __slots__ = (
        "_keys", "_paid", "_table", "arrivals", "at", "copies", "ends", "expected", "frame", "inward", "key", "lanes",
        "left", "octets", "peer", "shape", "shapes", "timestamp", "track", "trailer",
    )  # fmt: skip

    def __init__(
        self, table: Routes, key: int, track: Track, inward: Any, trailer: int, lanes: list[Lane],
        shape: Shape, keys: object,
    ) -> None:  # fmt: skip
        self.ends = bool(lanes)
        if lanes:
            super().__init__(lanes[-1].slot, lanes[-1].outward, lanes[-1].destination)
        self.key = key
        self.peer = track.owner
        self.track = track
        self.inward = inward  # libsrtp's context, of the publisher
        self.trailer = trailer  # bytes that SRTP has added to each packet
        self.lanes = lanes
        self.copies = tuple(lanes[:-1])
        self.arrivals = track.owner.arrivals.noted
        self.shape = shape  # of the last packet
        self.shapes = [shape]  # seen so far
        self.expected = 0  # sequence number of the next packet
        self.left = 0  # packets that are paid for
        self.octets = 0  # moved since the last settlement, with headers and trailers
        self.timestamp = 0  # of the last packet
        self.at = 0.0  # when it came
        self.frame = 0  # the first eight bytes of the payload that ended the last picture, little-endian
        self._paid = 0
        self._keys = keys  # what the contexts are freed with
        self._table = table

    def void(self) -> None:
        """Be found no more, and give back what was not used."""
        self.settle()
        self.peer.budget += self.left
        self._paid = self.left = 0
        self._table.remove(self)

    def pay(self) -> bool:
        """Have packets paid for from the peer's budget; False if there are none."""
        self.settle()
        del self.arrivals[MAX_NOTED:]
        more = min(PREPAID - self.left, int(self.peer.budget))
        self.peer.budget -= more
        self.left += more
        self._paid = self.left
        return self.left > 0

    def settle(self) -> None:
        """Let the books of others say what this route has done."""
        moved, octets = self._paid - self.left, self.octets
        if not moved:
            return
        self._paid, self.octets = self.left, 0
        octets -= moved * (self.shape.start + self.trailer)
        track, highest = self.track, self.expected - 1 & 0xFFFF
        track.last_packet_at = self.at
        self.peer.heard_at = max(self.peer.heard_at, self.at)
        track.highest = highest
        track.packets += moved
        track.octets += octets
        for lane in self.lanes:
            slot = lane.slot
            slot.span += moved
            slot.last_sequence = highest + lane.sequence_offset & 0xFFFF
            slot.last_timestamp = self.timestamp + lane.timestamp_offset & 0xFFFFFFFF
            slot.last_at = self.at
            slot.packets += moved
            slot.octets += octets
        if self.frame and track.kind == "video":
            numbers, self.frame = vp8.read(self.frame.to_bytes(8, "little"), 0), 0
            if numbers is not None:
                for lane in self.lanes:
                    lane.slot.numbering.note(numbers)

    def skip(self, sequence: int) -> None:
        """Go on with `sequence`, which is newer than the one that was expected."""
        self.pay()
        missing = sequence - self.expected & 0xFFFF
        for lane in self.lanes:
            lane.slot.span += missing
            lane.slot.sent.skip(self.expected + lane.sequence_offset & 0xFFFF, missing)
        self.expected = sequence

    def resume(self) -> None:
        """Go on behind the newest packet of the track."""
        if self.track.highest is not None:
            self.expected = self.track.highest + 1 & 0xFFFF

    def learn(self, shape: Shape) -> None:
        """Know packets of that shape from now on."""
        self.settle()
        self.shape = shape
        self.shapes = [shape, *self.shapes[: MAX_SHAPES - 1]]

    def recognise(self, words: memoryview, begin: int, head: int) -> Shape | None:
        """The shape of the packet that begins at that word with `head` (without its marker), if it was learned."""
        for shape in self.shapes:
            if shape.head == head and shape.fits(words, begin):
                if shape is not self.shape:
                    self.settle()
                    self.shape = shape
                return shape
        return None


class Routes:
    """All routes, by `route_key`."""

    def __init__(self, ring: Ring) -> None:
        self.by_key: dict[int, Route] = {}
        self._ring = ring
        self._clocks: set[int] = set()
        self._shapes: dict[object, Shape] = {}

    def remove(self, route: Route) -> None:
        """Let the route be found no more."""
        if self.by_key.get(route.key) is route:
            del self.by_key[route.key]

    def clocks(self, clock: bytes) -> dict[int, int]:
        """The time of departure as `front` has it at each byte where some stream has it."""
        value = int.from_bytes(clock, "big")
        return {NO_CLOCK: 0} | {at: clock_in_front(value, at) for at in self._clocks}

    def consider(self, peer: Peer, packet: bytes) -> None:
        """The peer's SRTP packet has gone the portable way: see whether the next ones need not.

        ValueError if its header is malformed.
        """
        ssrc, sequence = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        track, is_rtx = peer.by_ssrc.get(ssrc, (None, False))
        if track is None or is_rtx or track.highest != sequence or packet[1] & 0x7F != track.payload_type:
            return  # it was not let through, or is late
        shape = self._same(Shape(packet, track.extensions, [slot.extension_ids for slot in track.outputs]))
        if isinstance(track.route, Route):
            track.route.learn(shape)
        elif track.steady and len(track.outputs) <= MAX_COPIES + 1:
            track.route = self._make(peer, track, ssrc, shape)
        self._clocks |= shape.clocks

    def _same(self, shape: Shape) -> Shape:
        """The same shape as another stream has it, if one does."""
        if len(self._shapes) >= MAX_KNOWN:
            self._shapes.clear()
        return self._shapes.setdefault(shape.identity, shape)

    def _make(self, peer: Peer, track: Track, ssrc: int, shape: Shape) -> Route | None:
        if peer.address is None or peer.link is None or not peer.link.ready:
            return None
        inward, _, keys = peer.link.contexts()
        kept = [keys]
        lanes: list[Lane] = []
        for slot in track.outputs:
            receiver = slot.owner
            if receiver.address is None or receiver.link is None or not receiver.link.ready:
                return None
            _, outward, keys = receiver.link.contexts()
            kept.append(keys)
            lanes.append(Lane(slot, outward, address_word(receiver.address)))
            slot.sent.packets = self._ring
        key = route_key(address_word(peer.address), ssrc)
        route = Route(self, key, track, inward, peer.link.trailer, lanes, shape, kept)
        route.resume()
        self.by_key[key] = route
        return route


def is_rtp(packet: bytes) -> bool:
    """Whether a datagram is RTP, by its first two bytes and its length."""
    return len(packet) >= rtp.HEADER.size and 128 <= packet[0] <= 191 and not rtp.is_rtcp(packet)
