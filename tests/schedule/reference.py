"""Slots found slowly and plainly: sets of minutes, one by one, by what the docstrings of ``visits.schedule`` say.

Shares no arithmetic with them; times and busy time are whole minutes.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from visits.schedule.intervals import Interval
from visits.schedule.rules import Hours, Rules, Spell
from visits.schedule.slots import Limits, Shape, Slot

MINUTE = timedelta(minutes=1)


def free_slots(
    rules: Rules,
    shape: Shape,
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    *,
    busy: Iterable[Interval],
    now: datetime,
    limits: Limits | None = None,
) -> list[Slot]:
    taken = {minute for start, end in busy for minute in minutes(start, end)}
    found = every_slot(rules, shape, zone, first_day, last_day)
    if limits is not None:
        last = now.astimezone(zone).date() + timedelta(days=limits.days)
        found = [
            slot for slot in found if slot.start >= now + limits.notice and slot.start.astimezone(zone).date() <= last
        ]
    return [
        slot
        for slot in found
        if slot.start >= now and taken.isdisjoint(minutes(slot.start - shape.before, slot.end + shape.after))
    ]


def every_slot(rules: Rules, shape: Shape, zone: ZoneInfo, first_day: date, last_day: date) -> list[Slot]:
    days = [first_day + timedelta(days=n) for n in range((last_day - first_day).days + 1)]
    return [slot for day in days for slot in slots_of(rules, shape, zone, day)]


def slots_of(rules: Rules, shape: Shape, zone: ZoneInfo, day: date) -> list[Slot]:
    length, step = shape.length // MINUTE, (shape.before + shape.length + shape.after) // MINUTE
    lived = minutes_of_day(day, zone)
    readings = [reading for _, reading in lived]
    first = {reading: at for at, reading in reversed(list(enumerate(readings)))}
    slots = []
    for opens, closes in runs(open_minutes(rules, day)):
        # Hours end when the clock shows their end, or more, for the first time.
        end = next((at for at, reading in enumerate(readings) if reading >= closes), len(readings))
        free_from = 0
        for wall in range(opens, closes - length + 1, step):
            if wall in first:  # the clock shows it at all that day
                at = first[wall]
                if at >= free_from and at + length <= end:
                    slots.append(Slot(lived[at][0], lived[at][0] + shape.length))
                    free_from = at + step
    return slots


def open_minutes(rules: Rules, day: date) -> set[int]:
    opening = covered(rules.opening, day) if rules.opening else set(range(1440))
    usual = set() if day in rules.holidays else covered(rules.hours, day) & opening
    return (usual | covered(rules.extra, day)) - covered(rules.off, day)


def covered(rules: Iterable[Hours | Spell], day: date) -> set[int]:
    return {minute for rule in rules if applies(rule, day) for minute in range(*span(rule))}


def applies(rule: Hours | Spell, day: date) -> bool:
    if isinstance(rule, Spell):
        return rule.first_day <= day <= rule.last_day
    return rule.weekday == day.weekday() and (rule.valid_from or day) <= day <= (rule.valid_until or day)


def span(rule: Hours | Spell) -> tuple[int, int]:
    start, end = rule.start_time or time(), rule.end_time
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute if end else 1440


def runs(some: set[int]) -> list[tuple[int, int]]:
    """From each minute without one before it to the one after the last."""
    grouped = groupby(enumerate(sorted(some)), key=lambda pair: pair[1] - pair[0])
    stretches = [[minute for _, minute in group] for _, group in grouped]
    return [(stretch[0], stretch[-1] + 1) for stretch in stretches]


@lru_cache(maxsize=8)
def minutes_of_day(day: date, zone: ZoneInfo) -> list[tuple[datetime, int]]:
    """Each minute that people lived through on that day, in order, with what the clock showed."""
    around = datetime.combine(day, time(), tzinfo=UTC) - timedelta(hours=14)
    lived = [(at, at.astimezone(zone)) for at in (around + n * MINUTE for n in range(52 * 60))]
    return [(at, local.hour * 60 + local.minute) for at, local in lived if local.date() == day]


def minutes(start: datetime, end: datetime) -> list[datetime]:
    return [start + n * MINUTE for n in range((end - start) // MINUTE)]
