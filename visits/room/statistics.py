"""The flight recorder: how each participant's line was, minute by minute. Numbers and seats, nothing else.

Every socket of a room hears the relay's figures each second, in whichever process it lives, and keeps
them for all seats: so a minute is on record while anybody is there to hear it. Several write the same
row; the database sees to it that there is one, and that who heard the most seconds has the word.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from visits.live.messages import Fields, optional, whole
from visits.relay.client import StreamFigures
from visits.room.models import Encounter, LineMinute, Seat

WRITE_EVERY = 15.0  # seconds
MINUTE = timedelta(minutes=1)
LONGEST = timedelta(hours=12)  # of a visit, on record: so many rows a seat has at most

# What relay rows hold, each as [least, mean, most]: bit/s of payload, shares from 0 to 1, milliseconds.
RELAY_FIGURES = ("up", "down", "loss_up", "loss_down", "round_trip", "jitter")

_COUNT, _MS, _PIXELS = whole(0, 100_000), whole(0, 600_000), whole(0, 16_384)
# What a page tells of the time since it last did, as its getStats counts it: milliseconds, frames, pixels.
REPORT: Fields = {
    "span": whole(1, 600_000),
    "round_trip": optional(whole(0, 60_000)),
    "freezes": _COUNT,
    "frozen": _MS,
    "concealed": _MS,
    "heard": _MS,
    "decoded": _COUNT,
    "dropped": _COUNT,
    "width": _PIXELS,
    "height": _PIXELS,
}
SUMMED = ("span", "freezes", "frozen", "concealed", "heard", "decoded", "dropped")

Key = tuple[str, datetime]  # seat and minute


@dataclass
class Sum:
    """Least, mean and most of what was added."""

    count: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)

    def as_row(self) -> list[float]:
        return [_short(self.least), _short(self.total / self.count), _short(self.most)]


@dataclass
class Heard:
    """What the relay told of one seat in one minute."""

    seconds: int = 0
    figures: dict[str, Sum] = field(default_factory=dict)


def concerns(streams: Iterable[StreamFigures], seat: str) -> list[StreamFigures]:
    """The streams that a participant has to do with: their own, and those that they receive."""
    return [stream for stream in streams if seat in (stream.sender, stream.receiver)]


def of_seats(streams: Iterable[StreamFigures]) -> dict[str, dict[str, float]]:
    """One second's RELAY_FIGURES of each seat."""
    seats: dict[str, list[StreamFigures]] = {}
    for stream in streams:
        seats.setdefault(stream.receiver or stream.sender, []).append(stream)
    return {seat: _figures(own) for seat, own in seats.items()}


def _figures(streams: list[StreamFigures]) -> dict[str, float]:
    up = [stream for stream in streams if stream.receiver is None]
    down = [stream for stream in streams if stream.receiver is not None]
    # The nearest answer tells the way; a later one also how long the receiver took to write it.
    known = {
        "loss_up": max((s.loss for s in up if s.loss is not None), default=None),
        "loss_down": max((s.loss for s in down if s.loss is not None), default=None),
        "round_trip": min((1000 * s.round_trip for s in down if s.round_trip is not None), default=None),
        "jitter": max((1000 * s.jitter for s in down if s.jitter is not None), default=None),
    }
    rates = {"up": float(sum(s.bitrate for s in up)), "down": float(sum(s.bitrate for s in down))}
    return rates | {name: value for name, value in known.items() if value is not None}


class Recorder:
    """What one socket heard, and its page told, until it is written down."""

    def __init__(self) -> None:
        self._heard: dict[Key, Heard] = {}
        self._told: dict[Key, dict[str, Any]] = {}
        self._written_at = time.monotonic()

    def hear(self, streams: Iterable[StreamFigures], now: datetime) -> None:
        """Take the relay's figures of one second."""
        for seat, figures in of_seats(streams).items():
            heard = self._heard.setdefault((seat, _minute(now)), Heard())
            heard.seconds += 1
            for name, value in figures.items():
                heard.figures.setdefault(name, Sum()).add(value)

    def tell(self, seat: str, report: Mapping[str, Any], now: datetime) -> None:
        """Take a page's own REPORT."""
        key = seat, _minute(now)
        self._told[key] = added(self._told.get(key, {}), report)

    def is_due(self) -> bool:
        """Whether it is time to write; counts as written if so."""
        now = time.monotonic()
        if now - self._written_at < WRITE_EVERY or not (self._heard or self._told):
            return False
        self._written_at = now
        return True

    def write(self, encounter: uuid.UUID) -> None:
        """Write down what came. The minute that goes on is written again, with more in it."""
        told, self._told = self._told, {}
        record(encounter=encounter, heard=dict(self._heard), told=told)
        current = _minute(timezone.now())
        self._heard = {key: heard for key, heard in self._heard.items() if key[1] >= current}


def record(*, encounter: uuid.UUID, heard: Mapping[Key, Heard], told: Mapping[Key, Mapping[str, Any]]) -> None:
    """Bring the rows of an encounter up to date. Safe at the same time from anywhere, and when repeated with more.

    Seats of other encounters are left alone.
    """
    if not heard and not told:
        return
    begun = Encounter.objects.filter(pk=encounter).values_list("started_at", flat=True).first()
    seats = {str(pk) for pk in Seat.objects.filter(encounter=encounter).values_list("pk", flat=True)}
    keys = sorted(
        key
        for key in heard.keys() | told.keys()
        if begun and key[0] in seats and _minute(begun) <= key[1] < begun + LONGEST
    )
    with transaction.atomic():
        LineMinute.objects.bulk_create(
            [LineMinute(seat_id=seat, minute=minute) for seat, minute in keys], ignore_conflicts=True
        )
        for key in keys:
            rows = LineMinute.objects.filter(seat_id=key[0], minute=key[1])
            if key in heard:
                # Who heard more of the minute than what is on record says it anew.
                relay = {name: figure.as_row() for name, figure in heard[key].figures.items()}
                rows.filter(seconds__lt=heard[key].seconds).update(seconds=heard[key].seconds, relay=relay)
            if key in told:
                row = rows.select_for_update().get()
                row.browser = added(row.browser, told[key])
                row.save(update_fields=["browser"])


def added(before: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Two reports as one: counts are added, of the rest the last word counts, of round trips the worst."""
    trips = [trip for one in (before, report) if (trip := one.get("round_trip")) is not None]
    sums = {name: before.get(name, 0) + report.get(name, 0) for name in SUMMED}
    return {**before, **report, **sums, "round_trip": max(trips, default=None)}


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _short(value: float) -> float:
    """Four digits behind the point where a share needs them, none where a bit rate does not."""
    return round(value, 4) if abs(value) < 1000 else round(value)
