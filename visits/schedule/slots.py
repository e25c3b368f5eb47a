"""Rules become slots (FHIR R4 Slot), and busy time is taken out of them. Pure: no ORM, no clock.

Rules speak of wall-clock times of the clinic's zone; a slot is two instants in UTC. When clocks change:

* a wall time that does not exist (clocks go forward) starts no slot;
* a wall time that comes twice (clocks go back) means its first coming (``fold=0``, PEP 495), as the start of a
  slot and as the beginning or end of hours;
* a slot always lasts its full minutes of real time, ends before the hours do, and never overlaps the
  slot before it: a start that comes too early because an hour fell out is left out.

A visit lies within the hours; what is kept free around it may lie outside. Hours that meet at midnight are one
stretch, as those that meet during a day are: a visit may lie over midnight. Only a day that is open around the clock
begins anew at its midnight, so that its times are the same each day and a stretch has a beginning to be cut from.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from visits.schedule.intervals import Interval, merged
from visits.schedule.rules import Rules
from visits.schedule.wall_clock import DAY, MIDNIGHT, bounds, instant_of, wall_of

INSTANT = timedelta(microseconds=1)
NOTHING = timedelta()


class Slot(NamedTuple):
    """A stretch of time that one visit can take, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Shape:
    """How long a visit is, and how much is kept free before and after it."""

    length: timedelta
    before: timedelta = NOTHING
    after: timedelta = NOTHING

    @property
    def step(self) -> timedelta:
        """From one slot to the next, so that all of them can be booked."""
        return self.before + self.length + self.after


@dataclass(frozen=True)
class Limits:
    """What binds patients who book for themselves: how soon, and how many days of the clinic's calendar ahead."""

    notice: timedelta
    days: int

    def window(self, now: datetime, zone: ZoneInfo) -> tuple[datetime, date]:
        """From which instant on and up to which day they may book."""
        return now + self.notice, now.astimezone(zone).date() + timedelta(days=self.days)


@dataclass(frozen=True)
class Times:
    """Slots of one clinician: all that are to come, and those still free; both in order."""

    all: list[Slot]
    free: list[Slot]


def times(
    rules: Rules,
    shape: Shape,
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    *,
    busy: Iterable[Interval],
    now: datetime,
    limits: Limits | None = None,
) -> Times:
    """The slots between two days, both included, that begin at ``now`` or later, within the ``limits`` if given.

    ``busy`` are visits and holds in UTC, each with what is kept free around it. The work grows with the days asked
    for and with what is busy then.
    """
    earliest, last = limits.window(now, zone) if limits else (now, last_day)
    last_day = min(last, last_day)
    coming = [slot for slot in expand(rules, shape, zone, first_day, last_day) if slot.start >= earliest]
    return Times(coming, without(coming, shape, busy))


def expand(rules: Rules, shape: Shape, zone: ZoneInfo, first_day: date, last_day: date) -> list[Slot]:
    """All slots that begin on days from the first to the last (both included), in order, none overlapping.

    Each stretch of hours is cut from its beginning on, so that all its slots can be booked. The rules must be those of
    the day before and the day after, too.
    """
    begin, end = bounds(first_day, last_day, zone)
    stretches = _stretches(rules, first_day, last_day)
    return [slot for slot in _slots_of(stretches, shape, zone) if begin <= slot.start < end]


def without(slots: Sequence[Slot], shape: Shape, busy: Iterable[Interval]) -> list[Slot]:
    """Those of the ordered ``slots`` that overlap nothing in ``busy``, with what is kept free around them."""
    taken = merged(busy)
    free, at = [], 0
    for slot in slots:
        start, end = slot.start - shape.before, slot.end + shape.after
        while at < len(taken) and taken[at][1] <= start:
            at += 1
        if at == len(taken) or end <= taken[at][0]:
            free.append(slot)
    return free


def nearest(slots: Sequence[Slot], wanted: datetime, count: int = 3) -> list[Slot]:
    """At most ``count`` of the slots around ``wanted``, in order: from both sides while both have some."""
    before = [slot for slot in slots if slot.start < wanted][::-1]
    after = [slot for slot in slots if slot.start >= wanted]
    earlier = min(len(before), max(count // 2, count - len(after)))
    return sorted(before[:earlier] + after[: count - earlier])


def _stretches(rules: Rules, first_day: date, last_day: date) -> list[Interval]:
    """What slots of these days are cut from: it may begin the day before, and end the day after."""
    found: list[Interval] = []
    for n in range(-1, (last_day - first_day).days + 2):
        for opens, closes in rules.open_on(first_day + n * DAY):
            if found and found[-1][1] == opens and closes - opens < DAY:
                found[-1] = (found[-1][0], closes)
            else:
                found.append((opens, closes))
    begin, end = datetime.combine(first_day, MIDNIGHT), datetime.combine(last_day + DAY, MIDNIGHT)
    return [(opens, closes) for opens, closes in found if opens < end and closes > begin]


def _slots_of(stretches: Iterable[Interval], shape: Shape, zone: ZoneInfo) -> Iterator[Slot]:
    for opens, closes in stretches:
        starts = [opens + n * shape.step for n in range((closes - opens - shape.length) // shape.step + 1)]
        if _is_steady(opens, closes, zone):
            first = instant_of(opens, zone)
            yield from (Slot(first + (wall - opens), first + (wall - opens) + shape.length) for wall in starts)
        else:
            yield from _slots_across_a_change(starts, closes, shape, zone)


def _is_steady(opens: datetime, closes: datetime, zone: ZoneInfo) -> bool:
    """Whether no clock changes within the stretch: nearly always, and then no slot has to be looked at by itself."""
    start, end = instant_of(opens, zone), instant_of(closes, zone)
    return end - start == closes - opens and wall_of(start, zone) == opens and wall_of(end, zone) == closes


def _slots_across_a_change(
    starts: Iterable[datetime], closes: datetime, shape: Shape, zone: ZoneInfo
) -> Iterator[Slot]:
    free_from = None
    for wall in starts:
        start = instant_of(wall, zone)
        if wall_of(start, zone) != wall or (free_from is not None and start < free_from):
            continue
        # Clocks going forward within the slot can carry its last moment beyond the hours.
        if wall_of(start + shape.length - INSTANT, zone) < closes:
            free_from = start + shape.step
            yield Slot(start, start + shape.length)
