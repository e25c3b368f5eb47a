"""Instants become places on a sheet of wall clock, in steps of five minutes. Pure: no ORM, no words.

The style sheet has a class for each hour and each step, so that a place needs no style of its own. Quarter hours
would be too coarse: visits of ten and twenty minutes would lie on each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from visits.schedule.intervals import Interval
from visits.schedule.wall_clock import instant_of

STEP = 5
HOUR = 60
QUARTER = timedelta(minutes=15)
MOST_LANES = 3


@dataclass(frozen=True)
class Place:
    """Minutes from the top of the sheet, and how many; both whole steps."""

    top: int
    length: int

    @property
    def css(self) -> str:
        return f"at-{self.top // HOUR} past-{self.top % HOUR} for-{self.length // HOUR} and-{self.length % HOUR}"


@dataclass(frozen=True)
class Sheet:
    """The hours of a day that are shown, from ``opens`` to ``closes`` (24 is the next midnight), in ``zone``."""

    zone: ZoneInfo
    opens: int
    closes: int

    @property
    def hours(self) -> range:
        return range(self.opens, self.closes)

    def place(self, day: date, start: datetime, end: datetime) -> Place | None:
        """Where the stretch lies in the day's column; None when no minute of it is shown.

        An hour that comes twice when clocks go back is shown once, with what lies in both on top of each other.
        """
        begins, ends = minute_of(start, day, self.zone), minute_of(end, day, self.zone)
        top = max(begins // STEP * STEP, self.opens * HOUR)
        bottom = min(max(-(-ends // STEP) * STEP, begins // STEP * STEP + STEP), self.closes * HOUR)
        return Place(top - self.opens * HOUR, bottom - top) if top < bottom else None


def minute_of(instant: datetime, day: date, zone: ZoneInfo) -> int:
    """The minute that the wall clock shows, counted from the day's midnight; 0 before the day, 1440 after it."""
    local = instant.astimezone(zone)
    if local.date() != day:
        return 0 if local.date() < day else 24 * HOUR
    return local.hour * HOUR + local.minute


def instants(stretches: Iterable[Interval], zone: ZoneInfo) -> list[Interval]:
    """Stretches of wall-clock time as instants; a time that comes twice means its first coming."""
    return [(instant_of(start, zone), instant_of(end, zone)) for start, end in stretches]


def cells(stretch: Interval, zone: ZoneInfo) -> Iterator[Interval]:
    """The stretch cut at quarter hours of the wall clock, no piece shorter than that unless the stretch is."""
    start, end = stretch
    while start < end:
        into = timedelta(minutes=start.astimezone(zone).minute % 15)
        cut = start - into + QUARTER * (2 if into else 1)
        cut = end if end - cut < QUARTER else cut
        yield start, cut
        start = cut


def lanes(places: Sequence[Place]) -> list[tuple[int, int]]:
    """For places ordered by their top: in which lane each lies, and of how many, so that none covers another.

    Beyond three lanes the last is shared.
    """
    found: list[tuple[int, int]] = []
    group: list[int] = []
    ends: list[int] = []
    for place in places:
        if ends and place.top >= max(ends):
            found += [(lane, len(ends)) for lane in group]
            group, ends = [], []
        lane = next((n for n, end in enumerate(ends) if end <= place.top), len(ends))
        if lane == len(ends) and lane < MOST_LANES:
            ends.append(0)
        lane = min(lane, MOST_LANES - 1)
        ends[lane] = max(ends[lane], place.top + place.length)
        group.append(lane)
    return found + [(lane, len(ends)) for lane in group]
