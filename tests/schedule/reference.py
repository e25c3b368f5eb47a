"""Slots found slowly and plainly: sets of minutes, one by one, by what the docstrings of ``visits.schedule`` say.

Shares no arithmetic with them; times and busy time are whole minutes.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
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
    """Minutes of the wall clock are counted from the midnight that ``first_day`` begins with, here and below."""
    days = (last_day - first_day).days + 1
    open_by_day = {n: open_minutes(rules, first_day + timedelta(days=n)) for n in range(-1, days + 1)}
    every = {n * 1440 + minute for n, found in open_by_day.items() for minute in found}
    around_the_clock = {n * 1440 for n, found in open_by_day.items() if len(found) == 1440}
    lived = lived_minutes(first_day, days, zone)
    slots = [slot for run in runs(every, around_the_clock) for slot in slots_of(run, shape, lived)]
    return [slot for slot in slots if first_day <= slot.start.astimezone(zone).date() <= last_day]


def slots_of(run: tuple[int, int], shape: Shape, lived: list[tuple[datetime, int]]) -> list[Slot]:
    length, step = shape.length // MINUTE, (shape.before + shape.length + shape.after) // MINUTE
    readings = [reading for _, reading in lived]
    first = {reading: at for at, reading in reversed(list(enumerate(readings)))}
    opens, closes = run
    # Hours end when the clock shows their end, or more, for the first time.
    end = next((at for at, reading in enumerate(readings) if reading >= closes), len(readings))
    slots, free_from = [], 0
    for wall in range(opens, closes - length + 1, step):
        if wall in first:  # the clock shows it at all
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
    start, end = rule.start_time or time(), rule.end_time or time()
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute or 1440


def runs(some: set[int], begin_anew: set[int]) -> list[tuple[int, int]]:
    """From each minute without one before it, or that begins anew, to the one after the last."""
    found: list[tuple[int, int]] = []
    for minute in sorted(some):
        if found and found[-1][1] == minute and minute not in begin_anew:
            found[-1] = (found[-1][0], minute + 1)
        else:
            found.append((minute, minute + 1))
    return found


@lru_cache(maxsize=8)
def lived_minutes(first_day: date, days: int, zone: ZoneInfo) -> list[tuple[datetime, int]]:
    """Each minute that people lived through from the day before to the second day after, with what the clock showed."""
    midnight = datetime.combine(first_day, time())
    begin = midnight.replace(tzinfo=UTC) - timedelta(hours=38)
    lived = [
        (at, at.astimezone(zone).replace(tzinfo=None)) for at in (begin + n * MINUTE for n in range((days + 5) * 1440))
    ]
    shown = [(at, (local - midnight) // MINUTE) for at, local in lived]
    return [(at, reading) for at, reading in shown if -1440 <= reading < (days + 2) * 1440]


def minutes(start: datetime, end: datetime) -> list[datetime]:
    return [start + n * MINUTE for n in range((end - start) // MINUTE)]
