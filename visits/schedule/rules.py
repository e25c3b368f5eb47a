"""When a clinician sees patients, day by day, on the clinic's wall clock. Pure: no ORM, no clock, no zone."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Protocol

from visits.schedule.intervals import Interval, common, merged, minus


@dataclass(frozen=True)
class Hours:
    """A weekly rule: from ``start_time`` to ``end_time`` on each ``weekday`` (Monday is 0) of its validity."""

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
        return (datetime.combine(day, self.start_time), datetime.combine(day, self.end_time)) if holds else None


@dataclass(frozen=True)
class Spell:
    """An exception: those hours of each day from the first to the last, both included; without times, whole days."""

    first_day: date
    last_day: date
    start_time: time | None = None
    end_time: time | None = None

    def on(self, day: date) -> Interval | None:
        if not self.first_day <= day <= self.last_day:
            return None
        midnight = datetime.combine(day, time())
        return (
            datetime.combine(day, self.start_time) if self.start_time else midnight,
            datetime.combine(day, self.end_time) if self.end_time else midnight + timedelta(days=1),
        )


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


class _Rule(Protocol):
    def on(self, day: date) -> Interval | None: ...


def _on(day: date, rules: Iterable[_Rule]) -> list[Interval]:
    return [stretch for stretch in (rule.on(day) for rule in rules) if stretch is not None]
