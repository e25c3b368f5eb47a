"""Every change of clocks from 2025 to 2030 in every zone that a clinic may have (``available_timezones``).

Some 600 zones change their clocks thousands of times, but a slot depends on nothing of its zone but its offset from
UTC around it. So zones that are at the same offset throughout the years are one, and changes at one instant from the
same offset to the same one are one: each of those is tried once, which leaves out nothing and takes seconds.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from tests.schedule import reference
from visits.schedule.rules import Hours, Rules
from visits.schedule.slots import Shape, Slot, expand

FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
SECOND, MINUTE, DAY, WEEK = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1), timedelta(days=7)

# A night clinic's two rows of a day, which meet at midnight with those of the days around it.
NIGHT = (time(20), time()), (time(), time(6))

# An instant at which the offset becomes another, and both.
Change = tuple[datetime, timedelta, timedelta]


def offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def changes_of(zone: ZoneInfo) -> list[Change]:
    found = []
    for early, late in pairwise(DAYS):
        if offset(early, zone) != offset(late, zone):
            while late - early > SECOND:
                middle = early + (late - early) // 2
                middle = middle.replace(microsecond=0)
                early, late = (middle, late) if offset(middle, zone) == offset(early, zone) else (early, middle)
            found.append((late, offset(early, zone), offset(late, zone)))
    return found


@cache
def zones() -> dict[tuple[timedelta, tuple[Change, ...]], ZoneInfo]:
    """One zone for each way to set clocks in these years, by its first offset and its changes."""
    every = [ZoneInfo(name) for name in sorted(available_timezones())]
    return {(offset(FIRST, zone), tuple(changes_of(zone))): zone for zone in every}


@cache
def changes() -> dict[Change, ZoneInfo]:
    """Each change with one of the zones that make it."""
    return {change: zone for (_, made), zone in zones().items() for change in made}


def walls(slots: list[Slot], zone: ZoneInfo) -> list[datetime]:
    return [slot.start.astimezone(zone).replace(tzinfo=None, fold=0) for slot in slots]


def exists(wall: datetime, zone: ZoneInfo) -> bool:
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == wall


def test_half_hours_whole_hours_and_changes_at_midnight_are_among_them():
    shifts = {after - before for _, before, after in changes()}
    times = {(at.astimezone(zone).hour, at.astimezone(zone).minute) for (at, _, _), zone in changes().items()}

    assert {-60 * MINUTE, -30 * MINUTE, 30 * MINUTE, 60 * MINUTE} <= shifts
    assert {(1, 0), (0, 0), (23, 0), (2, 30), (1, 30)} <= times
    assert len(changes()) > 100


def test_on_and_around_each_change_the_slots_are_those_of_a_slow_look_at_each_minute():
    whole_days = Rules([Hours(weekday, time(), time()) for weekday in range(7)])
    nights = Rules([Hours(weekday, *hours) for weekday in range(7) for hours in NIGHT])

    for (at, _, _), zone in changes().items():
        day = (at - SECOND).astimezone(zone).date()  # and the next, for changes at midnight
        for rules in (whole_days, nights):
            for minutes, kept in ((15, 0), (20, 0), (45, 10)):
                case = rules, Shape(minutes * MINUTE, after=kept * MINUTE), zone, day, day + DAY
                assert expand(*case) == reference.every_slot(*case), f"{zone} {at}"


def test_each_week_has_the_same_wall_clock_times_but_those_that_do_not_exist():
    for (at, _, _), zone in changes().items():
        for day in {(at - SECOND).astimezone(zone).date(), at.astimezone(zone).date()}:
            weekly = Rules([Hours(day.weekday(), time(), time())])

            slots = expand(weekly, Shape(30 * MINUTE), zone, day - WEEK, day + WEEK)

            seen = walls(slots, zone)
            usual = [datetime.combine(day, time(half // 2, half % 2 * 30)) for half in range(48)]
            assert [wall + WEEK for wall in seen if wall.date() < day] == usual, f"{zone} {at}"
            assert [wall - WEEK for wall in seen if wall.date() > day] == usual, f"{zone} {at}"
            # Half an hour that falls out takes one slot with it, an hour two: none doubled, no other lost.
            assert [wall for wall in seen if wall.date() == day] == [wall for wall in usual if exists(wall, zone)]
            assert all(one.end <= other.start for one, other in pairwise(slots)), f"{zone} {at}"
            assert all(slot.start.astimezone(zone).fold == 0 for slot in slots), f"{zone} {at}"


def test_through_all_the_years_a_daily_time_is_the_same_in_every_zone():
    nine = Rules([Hours(weekday, time(9), time(9, 20)) for weekday in range(7)])
    first, last = date(2025, 1, 1), date(2030, 12, 31)
    expected = [datetime.combine(first, time(9)) + n * DAY for n in range((last - first).days + 1)]

    for zone in zones().values():
        assert walls(expand(nine, Shape(20 * MINUTE), zone, first, last), zone) == expected, zone
