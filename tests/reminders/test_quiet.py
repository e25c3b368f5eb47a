"""Reminders at the right instant, in every zone at every change of clocks until 2030."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from visits.reminders.quiet import CANNOT_WAIT, MARGIN, QuietHours, remind_at

HOUR = timedelta(hours=1)
FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
LEADS = [timedelta(days=3), timedelta(days=1), HOUR, timedelta(minutes=10)]


@cache
def changes_of(zone: str) -> list[datetime]:
    """The instants at which the zone's clock jumps, to the second."""
    info, found, step = ZoneInfo(zone), [], timedelta(days=5)
    before, at = FIRST.astimezone(info).utcoffset(), FIRST
    while at < LAST:
        following = at + step
        after = following.astimezone(info).utcoffset()
        if after != before:
            found.append(_jump(info, at, following))
        before, at = after, following
    return found


def _jump(info: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = low.astimezone(info).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(info).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)


def around_changes() -> Iterator[tuple[str, datetime]]:
    """Every zone, with visits at each half hour from 30 hours before to 75 after each of its changes."""
    seen = set()
    for zone in sorted(available_timezones()):
        changes = changes_of(zone)
        rules = (tuple(changes), tuple(at.astimezone(ZoneInfo(zone)).utcoffset() for at in (FIRST, *changes)))
        if rules in seen or not changes:  # another name of the same clock
            continue
        seen.add(rules)
        for change in changes:
            for half_hours in range(-60, 150, 7):
                yield zone, (change + timedelta(minutes=30) * half_hours).replace(second=0)


def test_a_day_before_is_the_same_wall_clock_and_an_hour_before_is_an_hour() -> None:
    count = 0
    for zone, start in around_changes():
        info = ZoneInfo(zone)
        local = start.astimezone(info)
        for days in (1, 3):
            at = remind_at(start, timedelta(days=days), zone).astimezone(info)
            wanted = (local - timedelta(days=days)).replace(tzinfo=None)
            exists = wanted.replace(tzinfo=info).astimezone(UTC).astimezone(info).replace(tzinfo=None) == wanted
            assert at.replace(tzinfo=None) == wanted or not exists, (zone, start)
            assert timedelta(days=days) - 3 * HOUR < start - at < timedelta(days=days) + 3 * HOUR or not exists
        assert start - remind_at(start, HOUR, zone) == HOUR
        assert start - remind_at(start, timedelta(minutes=10), zone) == timedelta(minutes=10)
        count += 1
    assert count > 10_000


def test_nobody_is_reminded_in_quiet_hours_nor_after_the_visit_nor_out_of_order() -> None:
    for zone, start in around_changes():
        quiet = QuietHours(time(21), time(8), zone)
        due = []
        for lead in LEADS:
            at = remind_at(start, lead, zone)
            due.append(at if lead <= CANNOT_WAIT else quiet.last_before(at))
            assert due[-1] <= at < start
            if lead > CANNOT_WAIT:
                assert 8 <= due[-1].astimezone(ZoneInfo(zone)).hour < 21
        assert due == sorted(due), (zone, start)


@pytest.mark.parametrize(
    ("begin", "end", "clock", "quiet"),
    [
        ("21:00", "08:00", "20:59", False),
        ("21:00", "08:00", "21:00", True),
        ("21:00", "08:00", "03:00", True),
        ("21:00", "08:00", "07:59", True),
        ("21:00", "08:00", "08:00", False),
        ("01:00", "05:00", "00:59", False),
        ("01:00", "05:00", "04:59", True),
        ("09:00", "09:00", "09:00", False),
    ],
)
def test_quiet_hours_begin_and_end_where_they_say(begin: str, end: str, clock: str, quiet: bool) -> None:
    hours = QuietHours(time.fromisoformat(begin), time.fromisoformat(end), "America/Chicago")
    instant = datetime.combine(datetime(2026, 11, 24), time.fromisoformat(clock), ZoneInfo("America/Chicago"))

    found = hours.around(instant)

    assert (found is not None) is quiet
    if found:
        assert hours.last_before(instant) == found[0] - MARGIN
        assert hours.first_after(instant) == found[1]
        assert found[0] <= instant < found[1]


def test_lord_howes_half_hour_is_known() -> None:
    assert changes_of("Australia/Lord_Howe")
    zone = ZoneInfo("Australia/Lord_Howe")
    steps = {
        change.astimezone(zone).utcoffset() - (change - HOUR).astimezone(zone).utcoffset()  # type: ignore[operator]
        for change in changes_of("Australia/Lord_Howe")
    }
    assert steps == {timedelta(minutes=30), timedelta(minutes=-30)}
