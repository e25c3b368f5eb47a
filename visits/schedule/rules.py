"""When a clinician sees patients, day by day, on the clinic's wall clock. Pure: no ORM, no clock, no zone."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Protocol

from visits.schedule.intervals import Interval, common, merged, minus
from visits.schedule.wall_clock import DAY, MIDNIGHT


@dataclass(frozen=True)
class Hours:
    """A weekly rule: from ``start_time`` to ``end_time`` on each ``weekday`` (Monday is 0) of its validity.

    00:00 as an end is the midnight after the day, so 00:00 to 00:00 is all of it.
    """

    weekday: int
    start_time: time
    end_time: time
    valid_from: date | None = None
    valid_until: date | None = None

    def on(self, day: date) -> Interval | None:
        holds = (
            day.weekday() == self.weekday
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )
        return _stretch(day, self.start_time, self.end_time) if holds else None


@dataclass(frozen=True)
class Spell:
    """An exception: those hours of each day from the first to the last, both included; without times, whole days.

    00:00 as an end is the midnight after the day.
    """

    first_day: date
    last_day: date
    start_time: time | None = None
    end_time: time | None = None

    def on(self, day: date) -> Interval | None:
        if not self.first_day <= day <= self.last_day:
            return None
        return _stretch(day, self.start_time or MIDNIGHT, self.end_time or MIDNIGHT)


@dataclass(frozen=True)
class Rules:
    """All that says when one clinician can be booked.

    A day is open during the weekly ``hours`` that lie in the clinic's ``opening`` hours (none at all: always open),
    unless it is one of the ``holidays``; then, whatever the clinic's hours, during ``extra``; never during ``off``.
    """

    hours: Sequence[Hours]
    opening: Sequence[Hours] = ()
    holidays: Collection[date] = frozenset()
    extra: Sequence[Spell] = ()
    off: Sequence[Spell] = ()

    def open_on(self, day: date) -> list[Interval]:
        """The day's open stretches as wall-clock times, in order, none touching the next."""
        usual = [] if day in self.holidays else _on(day, self.hours)
        if self.opening:
            usual = common(merged(usual), merged(_on(day, self.opening)))
        return minus(merged([*usual, *_on(day, self.extra)]), _on(day, self.off))

    def open_between(self, first_day: date, last_day: date) -> list[Interval]:
        """The open stretches of some days, both included; those that meet at midnight are one."""
        days = (first_day + n * DAY for n in range((last_day - first_day).days + 1))
        return merged(stretch for day in days for stretch in self.open_on(day))


class _Rule(Protocol):
    def on(self, day: date) -> Interval | None: ...


def _stretch(day: date, start: time, end: time) -> Interval:
    ends = datetime.combine(day, end)
    return datetime.combine(day, start), ends + DAY if end == MIDNIGHT else ends


def _on(day: date, rules: Iterable[_Rule]) -> list[Interval]:
    return [stretch for stretch in (rule.on(day) for rule in rules) if stretch is not None]
