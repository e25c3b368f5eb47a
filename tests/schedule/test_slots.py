"""Weekly hours become slots: on ordinary days, when clocks change, and never two at once."""

import time as clock
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from visits.schedule.rules import Hours, Rules
from visits.schedule.slots import Limits, Shape, Slot, expand, nearest, times, without
from visits.schedule.wall_clock import MIDNIGHT

CHICAGO = ZoneInfo("America/Chicago")
MINUTE = timedelta(minutes=1)


def walls(slots: list[Slot], zone: ZoneInfo) -> list[str]:
    return [slot.start.astimezone(zone).strftime("%H:%M") for slot in slots]


def cut(rules: list[Hours], zone: ZoneInfo, first: date, last: date, minutes: int) -> list[Slot]:
    return expand(Rules(rules), Shape(minutes * MINUTE), zone, first, last)


def on(day: date, start: str, end: str, minutes: int, zone: ZoneInfo = CHICAGO) -> list[Slot]:
    hours = Hours(day.weekday(), time.fromisoformat(start), time.fromisoformat(end))
    return cut([hours], zone, day, day, minutes)


def test_hours_are_cut_into_whole_slots():
    assert walls(on(date(2026, 11, 24), "09:00", "10:10", 20), CHICAGO) == ["09:00", "09:20", "09:40"]


def test_wall_clock_hours_keep_their_wall_time_on_both_sides_of_a_clock_change():
    friday = Hours(4, time(9), time(9, 30))

    before, after = cut([friday], CHICAGO, date(2026, 10, 30), date(2026, 11, 6), 30)

    assert walls([before, after], CHICAGO) == ["09:00", "09:00"]
    assert after.start - before.start == timedelta(days=7, hours=1)


def test_in_march_a_wall_time_that_does_not_exist_starts_no_slot():
    slots = on(date(2026, 3, 8), "01:00", "04:00", 20)

    assert walls(slots, CHICAGO) == ["01:00", "01:20", "01:40", "03:00", "03:20", "03:40"]
    assert slots[3].start == slots[2].end


def test_in_november_a_wall_time_that_comes_twice_starts_one_slot_at_its_first_coming():
    slots = on(date(2026, 11, 1), "00:40", "02:20", 20)

    assert walls(slots, CHICAGO) == ["00:40", "01:00", "01:20", "01:40", "02:00"]
    assert [slot.start.hour for slot in slots] == [5, 6, 6, 6, 8]
    assert all(slot.end - slot.start == timedelta(minutes=20) for slot in slots)


def test_lord_howe_moves_its_clocks_by_half_an_hour():
    lord_howe = ZoneInfo("Australia/Lord_Howe")

    spring = on(date(2026, 10, 4), "01:30", "03:30", 15, lord_howe)
    autumn = on(date(2026, 4, 5), "01:15", "02:15", 15, lord_howe)

    assert walls(spring, lord_howe) == ["01:30", "01:45", "02:30", "02:45", "03:00", "03:15"]
    assert walls(autumn, lord_howe) == ["01:15", "01:30", "01:45", "02:00"]
    assert autumn[3].start - autumn[2].start == timedelta(minutes=45)


def test_a_day_that_fell_out_has_no_slots():
    assert on(date(2011, 12, 30), "09:00", "12:00", 20, ZoneInfo("Pacific/Apia")) == []


def test_hours_that_reach_midnight_have_the_last_slot_before_it():
    assert walls(on(date(2026, 11, 24), "20:00", "00:00", 30), CHICAGO)[-2:] == ["23:00", "23:30"]
    assert len(on(date(2026, 11, 24), "00:00", "00:00", 30)) == 48


def test_hours_that_meet_at_midnight_are_one_stretch_and_a_slot_may_lie_over_it():
    night = [Hours(1, time(20), MIDNIGHT), Hours(2, MIDNIGHT, time(6))]
    tuesday, wednesday = date(2026, 11, 24), date(2026, 11, 25)

    both = cut(night, CHICAGO, tuesday, wednesday, 50)

    assert walls(both, CHICAGO)[4:6] == ["23:20", "00:10"]
    assert walls(both, CHICAGO)[-1] == "05:10"
    # Asked for alone, each day has the slots that begin on it.
    assert cut(night, CHICAGO, tuesday, tuesday, 50) + cut(night, CHICAGO, wednesday, wednesday, 50) == both
    assert cut(night, CHICAGO, wednesday, wednesday, 50)[0] == both[5]
    # And without the other row the grid is that of the one.
    assert walls(cut(night[1:], CHICAGO, wednesday, wednesday, 50), CHICAGO)[0] == "00:00"


def test_a_day_that_is_open_around_the_clock_has_the_same_times_as_each_other_one():
    always = [Hours(weekday, MIDNIGHT, MIDNIGHT) for weekday in range(7)]
    first, last = date(2026, 11, 23), date(2026, 11, 25)

    slots = cut(always, CHICAGO, first, last, 50)

    days = [[wall for slot, wall in zip(slots, walls(slots, CHICAGO), strict=True)
             if slot.start.astimezone(CHICAGO).date() == first + timedelta(days=n)] for n in range(3)]  # fmt: skip
    assert days[0] == days[1] == days[2]
    assert (days[0][0], days[0][-1]) == ("00:00", "22:30")


def test_who_is_open_until_midnight_before_a_whole_day_ends_there():
    rules = [Hours(1, time(20), MIDNIGHT), Hours(2, MIDNIGHT, MIDNIGHT), Hours(3, MIDNIGHT, time(1))]

    slots = cut(rules, CHICAGO, date(2026, 11, 24), date(2026, 11, 26), 50)

    assert walls(slots, CHICAGO)[3:6] == ["22:30", "00:00", "00:50"]
    assert walls(slots, CHICAGO)[-2:] == ["23:20", "00:10"]


# The night in which clocks go forward and the one in which they go back; half hours from ten to two.
MIDNIGHTS = [
    # 00:00 becomes 01:00; 01:00 becomes 00:00.
    ("America/Havana", "2026-03-07", "22:00 22:30 23:00 23:30 01:00 01:30"),
    ("America/Havana", "2026-10-31", "22:00 22:30 23:00 23:30 00:00 00:30 01:00 01:30"),
    # 00:00 becomes 01:00; 00:00 becomes 23:00 of the day before.
    ("Africa/Cairo", "2026-04-23", "22:00 22:30 23:00 23:30 01:00 01:30"),
    ("Africa/Cairo", "2026-10-29", "22:00 22:30 23:00 23:30 00:00 00:30 01:00 01:30"),
    ("Asia/Beirut", "2026-03-28", "22:00 22:30 23:00 23:30 01:00 01:30"),
    ("Asia/Beirut", "2026-10-24", "22:00 22:30 23:00 23:30 00:00 00:30 01:00 01:30"),
]


@pytest.mark.parametrize(("name", "evening", "expected"), MIDNIGHTS)
def test_where_clocks_change_at_midnight_nothing_is_lost_or_doubled(name, evening, expected):
    zone, day = ZoneInfo(name), date.fromisoformat(evening)
    morning = day + timedelta(days=1)
    night = [Hours(day.weekday(), time(22), MIDNIGHT), Hours(morning.weekday(), MIDNIGHT, time(2))]

    slots = cut(night, zone, day, morning, 30)

    assert walls(slots, zone) == expected.split()
    assert len({slot.start for slot in slots}) == len(slots)
    # Until midnight alone it is the evening's part, whatever the clock does then.
    assert cut(night[:1], zone, day, morning, 30) == slots[:4]
    assert cut(night, zone, day, day, 30) + cut(night, zone, morning, morning, 30) == slots


def test_where_the_hour_after_midnight_falls_out_the_day_begins_later():
    havana = ZoneInfo("America/Havana")

    assert walls(on(date(2026, 3, 8), "00:00", "02:00", 30, havana), havana) == ["01:00", "01:30"]


def test_a_slot_that_would_outlast_the_hours_across_a_gap_is_left_out():
    assert walls(on(date(2026, 3, 8), "01:00", "03:00", 45), CHICAGO) == ["01:00"]
    assert walls(on(date(2026, 3, 8), "01:00", "02:00", 30), CHICAGO) == ["01:00", "01:30"]


def test_a_start_that_comes_too_early_because_an_hour_fell_out_is_left_out():
    slots = on(date(2026, 3, 8), "01:30", "05:00", 45)

    assert walls(slots, CHICAGO) == ["01:30", "03:45"]


def test_hours_that_touch_or_overlap_count_as_one_stretch():
    rules = [Hours(1, time(9), time(10)), Hours(1, time(9, 30), time(10, 40)), Hours(1, time(10, 40), time(11))]

    assert walls(cut(rules, CHICAGO, date(2026, 11, 24), date(2026, 11, 24), 40), CHICAGO) == [
        "09:00",
        "09:40",
        "10:20",
    ]


def test_hours_hold_from_the_first_to_the_last_day_of_their_validity():
    rule = Hours(1, time(9), time(9, 20), valid_from=date(2026, 11, 10), valid_until=date(2026, 11, 24))

    days = [slot.start.date() for slot in cut([rule], CHICAGO, date(2026, 11, 1), date(2026, 12, 31), 20)]

    assert days == [date(2026, 11, 10), date(2026, 11, 17), date(2026, 11, 24)]


def test_busy_time_and_the_past_are_taken_out():
    tuesday = date(2026, 11, 24)
    nine = datetime(2026, 11, 24, 15, tzinfo=UTC)
    busy = [(nine + timedelta(minutes=50), nine + timedelta(minutes=55)), (nine, nine + timedelta(minutes=1))]

    found = times(
        Rules([Hours(1, time(9), time(11))]),
        Shape(20 * MINUTE),
        CHICAGO,
        tuesday,
        tuesday,
        busy=busy,
        now=nine + timedelta(minutes=21),
    )

    assert walls(found.all, CHICAGO) == ["09:40", "10:00", "10:20", "10:40"]
    assert walls(found.free, CHICAGO) == ["10:00", "10:20", "10:40"]


def test_what_is_kept_free_lies_between_visits_and_may_lie_outside_the_hours():
    shape = Shape(20 * MINUTE, before=5 * MINUTE, after=10 * MINUTE)
    tuesday = date(2026, 11, 24)

    slots = expand(Rules([Hours(1, time(9), time(10, 30))]), shape, CHICAGO, tuesday, tuesday)

    assert walls(slots, CHICAGO) == ["09:00", "09:35", "10:10"]
    assert [slot.end - slot.start for slot in slots] == [20 * MINUTE] * 3
    assert without(slots, shape, [(slots[0].start - timedelta(hours=1), slots[0].start - 5 * MINUTE)]) == slots
    assert without(slots, shape, [(slots[0].start - timedelta(hours=1), slots[0].start - 4 * MINUTE)]) == slots[1:]
    assert without(slots, shape, [(slots[2].end + 9 * MINUTE, slots[2].end + 60 * MINUTE)]) == slots[:2]
    assert without(slots, shape, [(slots[2].end + 10 * MINUTE, slots[2].end + 60 * MINUTE)]) == slots


def test_patients_have_a_notice_and_a_last_day_on_the_clinics_calendar():
    every_day = Rules([Hours(weekday, time(9), time(9, 40)) for weekday in range(7)])
    now = datetime(2026, 10, 30, 14, tzinfo=UTC)  # nine on a Friday; on Sunday the clocks go back

    def days(limits: Limits | None) -> list[str]:
        found = times(
            every_day, Shape(20 * MINUTE), CHICAGO, now.date(), date(2026, 11, 4), busy=[], now=now, limits=limits
        )
        return [f"{slot.start.astimezone(CHICAGO):%a %H:%M}" for slot in found.free]

    assert days(None)[:2] == ["Fri 09:00", "Fri 09:20"]
    assert days(None)[-1] == "Wed 09:20"
    assert days(Limits(20 * MINUTE, 3)) == [
        "Fri 09:20",
        *(f"{day} 09:{at}" for day in ("Sat", "Sun", "Mon") for at in ("00", "20")),
    ]
    assert days(Limits(24 * 60 * MINUTE, 0)) == []


def test_the_nearest_are_taken_from_both_sides():
    slots = on(date(2026, 11, 24), "09:00", "12:00", 20)
    ten = datetime(2026, 11, 24, 16, tzinfo=UTC)

    assert walls(nearest(slots, ten, 3), CHICAGO) == ["09:40", "10:00", "10:20"]
    assert walls(nearest(slots, slots[0].start, 2), CHICAGO) == ["09:00", "09:20"]
    assert walls(nearest(slots, ten + timedelta(days=1), 2), CHICAGO) == ["11:20", "11:40"]
    assert nearest([], ten) == []


def test_the_work_grows_with_the_days_asked_for_not_with_the_busy_time():
    rules = [Hours(weekday, time(8), time(18)) for weekday in range(7)]
    year = cut(rules, CHICAGO, date(2026, 1, 1), date(2026, 12, 31), 10)
    busy = [(slot.start, slot.end) for slot in year]

    began = clock.perf_counter()
    assert without(year, Shape(10 * MINUTE), busy) == []
    assert clock.perf_counter() - began < 1


# --- whatever the hours, the zone and the busy time -------------------------------------------

# Half hours, whole hours, two hours (Troll), at midnight (Havana, Santiago, Beirut), negative DST
# (Dublin), with Ramadan (Casablanca, twice a year the other way), none, far east and far west.
ZONES = [
    ZoneInfo(name)
    for name in [
        "America/Chicago", "America/New_York", "America/Denver", "America/Phoenix", "America/Los_Angeles",
        "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico", "America/Mexico_City", "America/Bogota",
        "America/Santiago", "America/Havana", "America/Sao_Paulo", "America/St_Johns", "Atlantic/Azores",
        "Europe/Madrid", "Europe/Dublin", "Africa/Casablanca", "Africa/Cairo", "Asia/Beirut", "Asia/Kathmandu",
        "Australia/Lord_Howe", "Australia/Adelaide", "Pacific/Chatham", "Pacific/Apia", "Pacific/Kiritimati",
        "Antarctica/Troll", "UTC",
    ]
]  # fmt: skip
zones = st.sampled_from(ZONES)
days = st.dates(date(2005, 1, 1), date(2037, 12, 31))
minutes = st.integers(5, 480)
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))


def change_day(zone: ZoneInfo, year: int, which: int) -> date:
    """The day on which the clocks change, if any do: so that rare days are tried as often as others."""
    noon = [datetime(year, 1, 1, 12, tzinfo=zone) + timedelta(days=n) for n in range(365)]
    changes = [late.date() for early, late in pairwise(noon) if early.utcoffset() != late.utcoffset()]
    return changes[which % len(changes)] if changes else noon[which % 365].date()


change_days = st.tuples(zones, st.integers(2005, 2037), st.integers(0, 1)).map(
    lambda drawn: (drawn[0], change_day(*drawn))
)
places = st.one_of(st.tuples(zones, days), change_days)


@st.composite
def hours_of(draw, weekday: int):
    start, end = sorted([draw(clocks), draw(clocks)])
    assume(start < end)
    return Hours(weekday, start, draw(st.sampled_from([end, MIDNIGHT])))


@st.composite
def schedules(draw):
    zone, first = draw(places)
    length = draw(st.integers(0, 3))
    weekdays = st.sampled_from([(first + timedelta(days=n)).weekday() for n in range(length + 1)])
    rules = draw(st.lists(weekdays.flatmap(hours_of), max_size=6))
    return rules, zone, first, first + timedelta(days=length), draw(minutes)


@settings(max_examples=400, deadline=None)
@given(schedules())
def test_slots_are_in_order_whole_and_never_overlap(schedule):
    slots = cut(*schedule)

    assert all(slot.end - slot.start == timedelta(minutes=schedule[4]) for slot in slots)
    assert all(one.end <= other.start for one, other in pairwise(slots))


def is_open(rules: list[Hours], local: datetime) -> bool:
    stretches = [rule.on(local.date()) for rule in rules]
    return any(start <= local.replace(tzinfo=None) < end for start, end in filter(None, stretches))


@settings(max_examples=400, deadline=None)
@given(schedules())
def test_slots_begin_and_end_within_the_hours_by_the_wall_clock(schedule):
    rules, zone, first, last, length = schedule

    for slot in cut(rules, zone, first, last, length):
        begins, ends = (at.astimezone(zone) for at in (slot.start, slot.end - timedelta(microseconds=1)))
        assert first <= begins.date() <= last
        assert is_open(rules, begins)
        # Clocks may go back within a slot that began before: then its end reads earlier than its start.
        assert is_open(rules, ends) or ends.fold == 1


@settings(max_examples=200, deadline=None)
@given(schedules())
def test_slots_start_at_wall_times_that_exist_and_at_their_first_coming(schedule):
    zone = schedule[1]

    for slot in cut(*schedule):
        local = slot.start.astimezone(zone)
        assert local.fold == 0
        assert local.replace(tzinfo=zone).astimezone(UTC) == slot.start


@settings(max_examples=200, deadline=None)
@given(places, clocks, clocks, minutes)
def test_where_no_clock_changes_no_minute_is_lost(place, start, end, length):
    zone, day = place
    assume(start < end)
    offsets = {datetime.combine(day, time(hour), tzinfo=zone).utcoffset() for hour in range(24)}
    assume(len(offsets) == 1 and datetime.combine(day, time(23, 59), tzinfo=zone).utcoffset() in offsets)

    slots = cut([Hours(day.weekday(), start, end)], zone, day, day, length)
    until_midnight = cut([Hours(day.weekday(), start, MIDNIGHT)], zone, day, day, length)

    minutes_of_start, minutes_of_end = (at.hour * 60 + at.minute for at in (start, end))
    assert len(slots) == (minutes_of_end - minutes_of_start) // length
    assert len(until_midnight) == (24 * 60 - minutes_of_start) // length


intervals = st.tuples(st.integers(-600, 4000), st.integers(1, 300))


@settings(max_examples=200, deadline=None)
@given(schedules(), st.lists(intervals, max_size=8), st.integers(-600, 4000))
def test_free_means_to_come_and_clear_of_everything_busy(schedule, busy, now):
    rules, zone, first_day, last_day, length = schedule
    first = datetime.combine(first_day, time(0), tzinfo=UTC)
    taken = [(first + timedelta(minutes=start), first + timedelta(minutes=start + length)) for start, length in busy]
    moment = first + timedelta(minutes=now)

    found = times(Rules(rules), Shape(length * MINUTE), zone, first_day, last_day, busy=taken, now=moment)

    assert found.free == [
        slot
        for slot in cut(*schedule)
        if slot.start >= moment and all(end <= slot.start or slot.end <= start for start, end in taken)
    ]
