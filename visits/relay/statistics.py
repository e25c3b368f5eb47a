"""What each stream of a room is worth, once a second: bit rate, loss, jitter, round trip. No I/O.

Computed from counters that the packets leave behind, so that it costs nothing per packet. Up is from
a publisher to the relay, down from the relay to a receiver; each leg is looked at by itself.
RFC 3550 section 6.4. Times in seconds, bit rates in bit/s, loss from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from visits.relay.rtcp import ReportBlock
from visits.relay.tracks import CLOCK_RATE, Track
from visits.relay.wire import StreamFigures

if TYPE_CHECKING:
    from visits.relay.peer import Peer
    from visits.relay.slots import Slot

PERIOD = 1.0  # between two looks at a room
REMEMBERED_REPORTS = 8  # sender reports of a slot that a receiver may still answer
REPORT_LIFE = 12.0  # a receiver that reported nothing for longer says nothing about now; sound is reported every 5 s
MAX_ROUND_TRIP = 60.0  # more is a mistake or a lie


class Grown(NamedTuple):
    """What came in a span of time."""

    bitrate: int
    packets: int
    expected: int  # packets, by their sequence numbers


class Counted(NamedTuple):
    """Where a stream's counters stood."""

    at: float
    octets: int
    packets: int
    highest: int | None

    def since(self, before: Counted | None) -> Grown:
        """What came since then; nothing if there was no look before."""
        if before is None or self.at <= before.at:
            return Grown(0, 0, 0)
        packets = self.packets - before.packets
        expected = packets
        if self.highest is not None and before.highest is not None:
            gap = self.highest - before.highest & 0xFFFF
            if gap < 0x8000:  # a stream that began anew jumps anywhere
                expected = gap
        return Grown(round(8 * (self.octets - before.octets) / (self.at - before.at)), packets, expected)


class Reception:
    """What the receiver of one slot said about it."""

    def __init__(self) -> None:
        self._sent: dict[int, float] = {}  # middle of the report's NTP time to when it went out
        self._block: ReportBlock | None = None
        self._base: ReportBlock | None = None  # the newest at the last look
        self._at = float("-inf")
        self._loss: float | None = None
        self._round_trip: float | None = None

    def sent(self, ntp: int, now: float) -> None:
        """A sender report with this NTP time went to the receiver.

        The time in it is the publisher's, for lip sync; so the relay remembers when it passed.
        """
        self._sent[ntp >> 16 & 0xFFFFFFFF] = now
        if len(self._sent) > REMEMBERED_REPORTS:
            del self._sent[next(iter(self._sent))]

    def reported(self, block: ReportBlock, now: float) -> None:
        """The receiver's report block came, in the slot's own numbers."""
        if self._base is None or _behind(block.highest, self._base.highest):
            self._base = block
            self._loss = (block.loss >> 24) / 256  # the fraction is all there is to the first one
        self._block, self._at = block, now
        sent = self._sent.get(block.last_sr) if block.last_sr else None
        if sent is not None:
            round_trip = now - sent - block.delay / 65536
            if round_trip < MAX_ROUND_TRIP:
                self._round_trip = max(0.0, round_trip)

    def look(self, clock: int, now: float) -> tuple[float | None, float | None, float | None]:
        """Loss since the last look at which something new was known, jitter and round trip."""
        block, base = self._block, self._base
        if block is None or base is None or now - self._at > REPORT_LIFE:
            return None, None, None
        expected = block.highest - base.highest & 0xFFFFFFFF
        if expected:
            lost = _cumulative(block) - _cumulative(base)
            self._loss = min(max(lost / expected, 0.0), 1.0)
            self._base = block
        round_trip = None if self._round_trip is None else round(self._round_trip, 4)
        return None if self._loss is None else round(self._loss, 4), round(block.jitter / clock, 4), round_trip


@dataclass(slots=True)
class Look:
    """The last look at one room."""

    next_at: float
    bitrate: int = 0  # of what was sent to its people
    counted: dict[Track | Slot, Counted] = field(default_factory=dict)
    receptions: dict[Slot, Reception] = field(default_factory=dict)


class Statistics:
    """Looks at each room once a second, at the time of its own, so that never many are looked at in one go."""

    def __init__(self) -> None:
        self._looks: dict[str, Look] = {}

    @property
    def bitrate(self) -> int:
        """What the relay sends of media now, in bit/s of payload."""
        return sum(look.bitrate for look in self._looks.values())

    def sent(self, slot: Slot, ntp: int, now: float) -> None:
        """A sender report went out on the slot."""
        self._reception(slot, now).sent(ntp, now)

    def reported(self, slot: Slot, block: ReportBlock, now: float) -> None:
        """The receiver reported about the slot."""
        self._reception(slot, now).reported(block, now)

    def _reception(self, slot: Slot, now: float) -> Reception:
        look = self._looks.setdefault(slot.owner.room, Look(now + PERIOD))
        return look.receptions.setdefault(slot, Reception())

    def due(self, rooms: Collection[str], now: float) -> list[str]:
        """The rooms that are to be looked at now; one that is new here in a second. Forgets all others."""
        for room in self._looks.keys() - rooms:
            del self._looks[room]
        for room in rooms:
            self._looks.setdefault(room, Look(now + PERIOD))
        return [room for room, look in self._looks.items() if look.next_at <= now]

    def look(self, room: str, peers: Collection[Peer], now: float) -> list[StreamFigures]:
        """The figures of every stream that flowed in the room since the last look at it."""
        look = self._looks[room]
        before, look.counted = look.counted, {}
        look.next_at = max(look.next_at + PERIOD, now + PERIOD / 2)
        look.bitrate = 0
        figures: list[StreamFigures] = []
        slots: list[Slot] = []
        for peer in peers:  # all of them first: what one has sent is in the books of the others' slots
            peer.settle()
        for peer in peers:
            for track in peer.tracks.values():
                look.counted[track] = Counted(now, track.octets, track.packets, track.highest)
            figures += _upward(peer, before, look.counted)
            for slot in peer.every_slot():
                slots.append(slot)
                if slot.source is None:
                    continue  # most of them, most of the time
                look.counted[slot] = Counted(now, slot.octets, slot.packets, None)
                grown = look.counted[slot].since(before.get(slot))
                look.bitrate += grown.bitrate
                if grown.packets:
                    figures.append(_downward(slot, slot.source, grown.bitrate, look.receptions.get(slot), now))
        look.receptions = {slot: look.receptions[slot] for slot in slots if slot in look.receptions}
        return figures


def _upward(
    peer: Peer, before: Mapping[Track | Slot, Counted], counted: Mapping[Track | Slot, Counted]
) -> Iterator[StreamFigures]:
    """One for each role: the layers of a camera are one picture."""
    for role in dict.fromkeys(track.role for track in peer.tracks.values()):
        layers = [track for track in peer.tracks.values() if track.role == role]
        grown = [counted[track].since(before.get(track)) for track in layers]
        packets, expected = sum(one.packets for one in grown), sum(one.expected for one in grown)
        if packets:
            bitrate = sum(one.bitrate for one in grown)
            yield StreamFigures(peer.peer_id, None, role, bitrate, _share(expected - packets, expected), None, None)


def _downward(slot: Slot, source: Track, bitrate: int, reception: Reception | None, now: float) -> StreamFigures:
    figures = reception.look(CLOCK_RATE[slot.kind], now) if reception is not None else (None, None, None)
    return StreamFigures(source.owner.peer_id, slot.owner.peer_id, source.role, bitrate, *figures)


def _share(part: int, whole: int) -> float:
    return round(min(max(part / whole, 0.0), 1.0), 4) if whole > 0 else 0.0


def _cumulative(block: ReportBlock) -> int:
    """The packets lost since the beginning: 24 bits with a sign."""
    lost = block.loss & 0xFFFFFF
    return lost - 0x1000000 if lost & 0x800000 else lost


def _behind(a: int, b: int) -> bool:
    return (a - b & 0xFFFFFFFF) >= 0x80000000
