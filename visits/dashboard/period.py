"""The days that are looked at, and as many before them to compare with. Pure: no ORM, no clock.

Whole days of the clinic's wall clock: one on which the clocks change is 23 or 25 hours long.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from visits.schedule.wall_clock import midnight

CHOICES = (7, 30, 90, 365)
USUAL = 30
# More days than this are shown by weeks: so many bars have room on a phone.
MOST_SINGLE_DAYS = 31
WEEK = 7


class Stretch(NamedTuple):
    """A day, or some: what one bar stands for."""

    first: date
    last: date

    def __str__(self) -> str:
        """2026-11-24, or from the first day to the last: 2026-11-24/2026-11-30 (ISO 8601)"""
        return str(self.first) if self.first == self.last else f"{self.first}/{self.last}"


@dataclass(frozen=True)
class Period:
    """So many ``days`` up to ``last``, that one included, on the clock of ``zone``."""

    days: int
    last: date
    zone: ZoneInfo

    @property
    def first(self) -> date:
        return self.last - timedelta(days=self.days - 1)

    @property
    def is_by_week(self) -> bool:
        return self.days > MOST_SINGLE_DAYS

    @property
    def before(self) -> "Period":
        return Period(self.days, self.first - timedelta(days=1), self.zone)

    @property
    def stretches(self) -> list[Stretch]:
        """The period's days, or its weeks counted from its end; days that are left over make a week of their own, or if
        they are less than half of one, the first week longer."""
        length = WEEK if self.is_by_week else 1
        firsts = [self.last - timedelta(days=end - 1) for end in range(length, self.days + 1, length)][::-1]
        if (left := self.days % length) > length // 2:
            firsts.insert(0, self.first)
        elif left:
            firsts[0] = self.first
        nexts = [*firsts[1:], self.last + timedelta(days=1)]
        return [Stretch(one, after - timedelta(days=1)) for one, after in zip(firsts, nexts, strict=True)]

    @property
    def edges(self) -> list[datetime]:
        """The instants between the stretches of the period before and of this one, with both ends."""
        days = [one.first for one in (*self.before.stretches, *self.stretches)]
        return [midnight(day, self.zone) for day in (*days, self.last + timedelta(days=1))]
