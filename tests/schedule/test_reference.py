"""The quick way to find slots against a slow and plain one, whatever the rules, the zone, the day and the busy time."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule import reference
from tests.schedule.test_slots import places
from visits.schedule.rules import Hours, Rules, Spell
from visits.schedule.slots import Limits, Shape, expand, times

MINUTE = timedelta(minutes=1)

# Mostly on the half hour, as clinics write them, so that stretches often touch and often lie around a clock change.
clocks = st.one_of(
    st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30)),
    st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60)),
)
# The end of 00:00 is the next midnight: hours that reach it, whole days among them, are tried as often as others.
spans = st.one_of(
    st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1]).map(sorted),
    st.tuples(clocks, st.just(time())),
    st.tuples(st.just(time()), clocks),
)
shapes = st.builds(
    lambda length, before, after: Shape(length * MINUTE, before * MINUTE, after * MINUTE),
    st.sampled_from([5, 10, 15, 20, 30, 45, 50, 60, 90, 480]),
    st.sampled_from([0, 0, 5, 15]),
    st.sampled_from([0, 0, 10, 120]),
)


@st.composite
def cases(draw):
    """Some days around a clock change or anywhere, with everything that the rules know about."""
    zone, first = draw(places)
    days = [first + timedelta(days=n) for n in range(draw(st.integers(1, 3)))]
    day = st.sampled_from([first - timedelta(days=1), *days, days[-1] + timedelta(days=1)])

    def weekly(valid: bool):
        dates = st.one_of(st.none(), day) if valid else st.none()
        return st.builds(
            lambda on, span, since, until: Hours(on.weekday(), *span, since, until), day, spans, dates, dates
        )

    def spell(span):
        return st.builds(lambda one, other, span: Spell(*sorted([one, other]), *span), day, day, span)

    rules = Rules(
        hours=draw(st.lists(weekly(True), max_size=5)),
        opening=draw(st.one_of(st.just([]), st.lists(weekly(False), max_size=3))),
        holidays=draw(st.sets(day, max_size=1)),
        extra=draw(st.lists(spell(spans), max_size=2)),
        off=draw(st.lists(spell(st.one_of(st.just(()), spans, spans)), max_size=2)),
    )
    return rules, draw(shapes), zone, days[0], days[-1]


@settings(max_examples=100, deadline=None)
@given(cases())
def test_rules_make_the_slots_that_a_slow_look_at_each_minute_finds(case):
    slots = expand(*case)

    assert slots == reference.every_slot(*case)
    assert all(one.end <= other.start for one, other in pairwise(slots))


@settings(max_examples=60, deadline=None)
@given(
    cases(),
    st.lists(st.tuples(st.integers(-600, 4000), st.integers(1, 300)), max_size=8),
    st.integers(-1500, 3000),
    st.one_of(st.none(), st.builds(Limits, st.integers(0, 3000).map(MINUTE.__mul__), st.integers(0, 3))),
)
def test_free_slots_are_those_of_which_no_minute_is_busy_past_or_out_of_reach(case, busy, now, limits):
    first = datetime.combine(case[3], time(), tzinfo=UTC)
    taken = [(first + start * MINUTE, first + (start + length) * MINUTE) for start, length in busy]
    rest = {"busy": taken, "now": first + now * MINUTE, "limits": limits}

    assert times(*case, **rest).free == reference.free_slots(*case, **rest)


def test_the_slow_way_itself_finds_what_one_counts_on_the_fingers():
    zone, day = ZoneInfo("America/Chicago"), date(2026, 3, 8)

    found = reference.every_slot(Rules([Hours(6, time(1), time(4))]), Shape(30 * MINUTE), zone, day, day)

    assert [f"{slot.start.astimezone(zone):%H:%M}" for slot in found] == ["01:00", "01:30", "03:00", "03:30"]
