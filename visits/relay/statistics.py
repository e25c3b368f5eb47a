"""What each stream of a room is worth, once a second: bit rate, loss, jitter, round trip. No I/O.

Computed from counters that the packets leave behind, so that it costs nothing per packet. Up is from
a publisher to the relay, down from the relay to a receiver; each leg is looked at by itself.
RFC 3550 section 6.4. Times in seconds, bit rates in bit/s, loss from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from visits.relay.tracks import CLOCK_RATE, Track
from visits.relay.wire import StreamFigures

if TYPE_CHECKING:
    from visits.relay.peer import Peer
    from visits.relay.slots import Slot

PERIOD = 1.0  # between two looks at a room


class Grown(NamedTuple):
    """What came in a span of time."""

    bitrate: int
    packets: int
    expected: int  # packets, by their sequence numbers

    def beside(self, other: Grown) -> Grown:
        """Both together."""
        return Grown(self.bitrate + other.bitrate, self.packets + other.packets, self.expected + other.expected)


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


@dataclass(slots=True)
class Look:
    """The last look at one room."""

    next_at: float
    bitrate: int = 0  # of what was sent to its people
    counted: dict[Track | Slot, Counted] = field(default_factory=dict)


class Statistics:
    """Looks at each room once a second, at the time of its own, so that never many are looked at in one go."""

    def __init__(self) -> None:
        self._looks: dict[str, Look] = {}

    @property
    def bitrate(self) -> int:
        """What the relay sends of media now, in bit/s of payload."""
        return sum(look.bitrate for look in self._looks.values())

    def due(self, rooms: Collection[str], now: float) -> list[str]:
        """The rooms that are to be looked at now; one that is new here in a second. Forgets all others."""
        for room in self._looks.keys() - rooms:
            del self._looks[room]
        for room in rooms:
            if room not in self._looks:
                self._looks[room] = Look(now + PERIOD)
        return [room for room, look in self._looks.items() if look.next_at <= now]

    def look(self, room: str, peers: Collection[Peer], now: float) -> list[StreamFigures]:
        """The figures of every stream that flowed in the room since the last look at it."""
        look = self._looks[room]
        before, look.counted = look.counted, {}
        look.next_at = max(look.next_at + PERIOD, now + PERIOD / 2)
        look.bitrate = 0
        figures: list[StreamFigures] = []
        for peer in peers:  # all of them first: what one has sent is in the books of the others' slots
            peer.settle()
        for peer in peers:
            ups: dict[str, Grown] = {}  # by role: the layers of a camera are one picture
            for track in peer.tracks.values():
                count = look.counted[track] = Counted(now, track.octets, track.packets, track.highest)
                grown = count.since(before.get(track))
                ups[track.role] = grown.beside(ups[track.role]) if track.role in ups else grown
                for slot in track.outputs:
                    if slot.source is not track:
                        continue
                    count = look.counted[slot] = Counted(now, slot.octets, slot.packets, None)
                    grown = count.since(before.get(slot))
                    look.bitrate += grown.bitrate
                    if grown.packets:
                        figures.append(_downward(slot, track, grown.bitrate, now))
            figures += [_upward(peer, role, grown) for role, grown in ups.items() if grown.packets]
        return figures


def _upward(peer: Peer, role: str, grown: Grown) -> StreamFigures:
    loss = _share(grown.expected - grown.packets, grown.expected)
    return StreamFigures(peer.peer_id, None, role, grown.bitrate, loss, None, None)


def _downward(slot: Slot, source: Track, bitrate: int, now: float) -> StreamFigures:
    figures = slot.reported.look(CLOCK_RATE[slot.kind], now)
    return StreamFigures(source.owner.peer_id, slot.owner.peer_id, source.role, bitrate, *figures)


def _share(part: int, whole: int) -> float:
    return round(min(max(part / whole, 0.0), 1.0), 4) if whole > 0 else 0.0
