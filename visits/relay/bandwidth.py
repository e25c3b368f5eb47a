"""How much a publisher may send: receivers' estimates, and a start value without any. No I/O.

Bitrates in bit/s, times in seconds. Browsers that are not offered transport-cc obey REMB; a
publisher who gets none crawls up from 300 kbit/s, so the relay vouches for a start.
"""

from __future__ import annotations

from collections.abc import Iterable

from visits.relay.slots import Slot
from visits.relay.tracks import Track

BOOT_BITRATE = 2_500_000
BOOT_SPAN = 2.0  # after the connection: a browser's own ramp is over by then
BOOT_PAUSE = 0.25
ESTIMATE_LIFE = 5.0  # a receiver that stopped reporting no longer counts
FLOOR = 100_000  # weight of a quiet publisher when an estimate is divided


def divide(bitrate: int, slots: Iterable[Slot]) -> list[tuple[Slot, int]]:
    """Each slot's share of a receiver's estimate, in proportion to what it carried lately.

    One slot gets it all. Equal shares would starve the only one who sends a picture, because
    a browser estimates little more than what it receives.
    """
    live = [slot for slot in slots if slot.source is not None]
    weights = [slot.rate_octets + FLOOR // 8 for slot in live]
    for slot in live:
        slot.rate_octets = 0
    total = sum(weights)
    return [(slot, bitrate * weight // total) for slot, weight in zip(live, weights, strict=True)]


def allowed(track: Track, now: float) -> int | None:
    """What the slowest of the track's receivers can take; None if none has reported."""
    fresh = [rate for rate, at in track.estimates.values() if now - at < ESTIMATE_LIFE]
    return min(fresh) if fresh else None


def needs_boot(track: Track, connected_at: float, now: float) -> bool:
    """Whether the relay should vouch for BOOT_BITRATE: at the start, or while nobody reports."""
    if track.kind != "video" or track.ssrc is None:
        return False
    if track.role == "screen" and not track.outputs:
        return False  # nobody's screen is up: its share would only inflate the camera's
    return now - connected_at < BOOT_SPAN or allowed(track, now) is None
