"""Weekly hours become slots (FHIR R4 Slot), and busy time is taken out of them. Pure: no ORM, no clock.

Hours are wall-clock times of the clinic's zone; a slot is two instants in UTC. When clocks change:

* a wall time that does not exist (clocks go forward) starts no slot;
* a wall time that comes twice (clocks go back) starts one slot, at its first coming (``fold=0``, PEP 495);
* a slot always lasts its full minutes of real time, ends before the hours do, and never overlaps the
  slot before it: a start that comes too early because an hour fell out is left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Interval = tuple[datetime, datetime]
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Hours:
    """A weekly rule: from ``start_time`` to ``end_time`` on each ``weekday`` (Monday is 0) of its validity."""

    weekday: int
    start_time: time
    end_time: time
    valid_from: date | None = None
    valid_until: date | None = None

    def holds_on(self, day: date) -> bool:
        return (
            day.weekday() == self.weekday
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )


@dataclass(frozen=True, order=True)
class Slot:
    """A stretch of time that one visit can take, in UTC."""

    start: datetime
    end: datetime


def free_slots(
    rules: Iterable[Hours],
    busy: Iterable[Interval],
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    minutes: int,
    now: datetime,
) -> list[Slot]:
    """The slots of ``minutes`` between two days (both included) that are neither busy nor past, in order."""
    return without(expand(rules, zone, first_day, last_day, minutes), busy, now)


def expand(rules: Iterable[Hours], zone: ZoneInfo, first_day: date, last_day: date, minutes: int) -> list[Slot]:
    """All slots of ``minutes`` that the rules make between two days (both included), in order, none overlapping.

    The work grows with the days asked for. Hours of one day that touch or overlap count as one stretch.
    """
    rules = list(rules)
    days = (first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1))
    return [slot for day in days for slot in _slots_of(day, rules, zone, timedelta(minutes=minutes))]


def without(slots: Sequence[Slot], busy: Iterable[Interval], now: datetime) -> list[Slot]:
    """Those of the ordered ``slots`` that start at ``now`` or later and overlap nothing in ``busy``."""
    taken = _merged(busy)
    free, at = [], 0
    for slot in slots:
        while at < len(taken) and taken[at][1] <= slot.start:
            at += 1
        if slot.start >= now and (at == len(taken) or slot.end <= taken[at][0]):
            free.append(slot)
    return free


def nearest(slots: Sequence[Slot], wanted: datetime, count: int = 3) -> list[Slot]:
    """At most ``count`` of the slots around ``wanted``, in order: from both sides while both have some."""
    before = [slot for slot in slots if slot.start < wanted][::-1]
    after = [slot for slot in slots if slot.start >= wanted]
    earlier = min(len(before), max(count // 2, count - len(after)))
    return sorted(before[:earlier] + after[: count - earlier])


def _slots_of(day: date, rules: Sequence[Hours], zone: ZoneInfo, length: timedelta) -> Iterator[Slot]:
    for opens, closes in _merged(_stretches(day, rules)):
        wall, free_from = opens, None
        while wall + length <= closes:
            slot = _slot_at(wall, closes, zone, length)
            if slot is not None and (free_from is None or slot.start >= free_from):
                free_from = slot.end
                yield slot
            wall += length


def _stretches(day: date, rules: Sequence[Hours]) -> list[Interval]:
    """The day's hours as naive wall-clock times."""
    return [
        (datetime.combine(day, rule.start_time), datetime.combine(day, rule.end_time))
        for rule in rules
        if rule.holds_on(day)
    ]


def _slot_at(wall: datetime, closes: datetime, zone: ZoneInfo, length: timedelta) -> Slot | None:
    """The slot that starts at a wall time, unless that time does not exist or the slot outlasts the hours."""
    start = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(start, zone) != wall:
        return None
    # Clocks going forward within the slot can carry its last moment beyond the hours.
    if _wall(start + length - INSTANT, zone) >= closes:
        return None
    return Slot(start, start + length)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as ordered stretches that neither touch nor overlap."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
