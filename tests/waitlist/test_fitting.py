"""What fits, and until when it is kept: pure."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visits.waitlist.fitting import READY, TO_ANSWER, WORTH, Part, Wish, deadline

CHICAGO = ZoneInfo("America/Chicago")
NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = Wish(range(7), list(Part), date(2026, 12, 31), CHICAGO)

spans = st.integers(0, 3000).map(lambda minutes: minutes * MINUTE)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHICAGO)


@pytest.mark.parametrize(
    ("clock", "part"),
    [("00:00", Part.MORNING), ("11:59", Part.MORNING), ("12:00", Part.AFTERNOON), ("16:59", Part.AFTERNOON),
     ("17:00", Part.EVENING), ("23:59", Part.EVENING)],
)  # fmt: skip
def test_parts_of_the_day(clock, part):
    wish = Wish(range(7), [part], date(2026, 12, 31), CHICAGO)
    other = Wish(range(7), [each for each in Part if each != part], date(2026, 12, 31), CHICAGO)

    assert wish.fits(at(f"2026-06-09T{clock}"), NOW + timedelta(days=30))
    assert not other.fits(at(f"2026-06-09T{clock}"), NOW + timedelta(days=30))


def test_a_change_of_clocks_does_not_move_a_part_of_the_day():
    mornings = Wish(range(7), [Part.MORNING], date(2026, 12, 31), CHICAGO)
    booked = at("2026-12-01T10:00")

    for day in ("2026-10-31", "2026-11-01", "2026-11-02"):
        assert mornings.fits(at(f"{day}T11:59"), booked)
        assert not mornings.fits(at(f"{day}T12:00"), booked)


def test_the_last_day_counts_whole():
    wish = Wish(range(7), list(Part), date(2026, 6, 9), CHICAGO)

    assert wish.fits(at("2026-06-09T23:30"), NOW + timedelta(days=30))
    assert not wish.fits(at("2026-06-10T00:00"), NOW + timedelta(days=30))


@given(spans, spans)
def test_only_what_is_really_earlier_fits(first, second):
    assert EVERY.fits(NOW + first, NOW + second) == (first + WORTH <= second)


@given(start=spans, sleep=spans, lasts=st.integers(5, 1440).map(lambda minutes: minutes * MINUTE))
def test_an_offer_ends_in_time_and_leaves_time_to_answer(start, sleep, lasts):
    until = deadline(NOW + start, now=NOW, readable_at=NOW + sleep, lasts=lasts)

    if until is None:
        assert min(lasts, start - READY) - sleep < TO_ANSWER
    else:
        assert NOW < until <= min(NOW + lasts, NOW + start - READY)
        assert until - (NOW + sleep) >= min(TO_ANSWER, lasts)
