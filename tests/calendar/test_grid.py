"""From instants to places, on days of 23, 24 and 25 hours."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visits.calendar import grid
from visits.calendar.grid import Place, Sheet

CHICAGO = ZoneInfo("America/Chicago")
DAY = date(2026, 11, 24)


def at(clock: str, day: date = DAY, fold: int = 0) -> datetime:
    wall = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=CHICAGO, fold=fold)
    return wall.astimezone(UTC)


def place(start: str, end: str, opens: int = 8, closes: int = 17, day: date = DAY) -> Place | None:
    return Sheet(CHICAGO, opens, closes).place(day, at(start, day), at(end, day))


@pytest.mark.parametrize(
    ("start", "end", "top", "length"),
    [
        ("08:00", "08:20", 0, 20),
        ("10:35", "11:45", 155, 70),
        ("07:30", "08:10", 0, 10),  # the hour before is not shown
        ("16:50", "18:00", 530, 10),
        ("10:02", "10:04", 120, 5),  # never less than a step
    ],
)
def test_a_stretch_lies_where_the_clock_says(start: str, end: str, top: int, length: int) -> None:
    assert place(start, end) == Place(top, length)


def test_what_is_not_shown_has_no_place() -> None:
    assert place("06:00", "07:00") is None
    assert place("17:00", "17:20") is None


def test_a_place_is_named_by_hours_and_minutes() -> None:
    assert Place(155, 70).css == "at-2 past-35 for-1 and-10"


def test_what_goes_over_midnight_ends_with_the_day_and_begins_the_next() -> None:
    sheet = Sheet(CHICAGO, 0, 24)
    start, end = at("23:50"), at("23:50") + timedelta(minutes=20)

    assert sheet.place(DAY, start, end) == Place(23 * 60 + 50, 10)
    assert sheet.place(DAY + timedelta(days=1), start, end) == Place(0, 10)


def test_an_hour_that_comes_twice_is_shown_once() -> None:
    sheet, day = Sheet(CHICAGO, 0, 24), date(2026, 11, 1)
    first, second = at("01:30", day), at("01:30", day, fold=1)

    assert second - first == timedelta(hours=1)
    assert sheet.place(day, first, first + timedelta(minutes=20)) == Place(90, 20)
    assert sheet.place(day, second, second + timedelta(minutes=20)) == Place(90, 20)


def cells(start: str, end: str) -> list[str]:
    stretch = (at(start), at(end))
    return [
        f"{begin.astimezone(CHICAGO):%H:%M}-{finish.astimezone(CHICAGO):%H:%M}"
        for begin, finish in grid.cells(stretch, CHICAGO)
    ]


def test_free_time_is_cut_at_quarter_hours_and_no_piece_is_too_small_to_press() -> None:
    assert cells("09:00", "09:45") == ["09:00-09:15", "09:15-09:30", "09:30-09:45"]
    assert cells("09:00", "09:20") == ["09:00-09:20"]
    assert cells("09:40", "10:15") == ["09:40-10:00", "10:00-10:15"]
    assert cells("09:40", "09:45") == ["09:40-09:45"]


@given(st.integers(0, 1000), st.integers(1, 400))
def test_the_pieces_are_the_whole_and_none_overlaps(start: int, length: int) -> None:
    stretch = (at("00:00") + timedelta(minutes=start), at("00:00") + timedelta(minutes=start + length))

    pieces = list(grid.cells(stretch, CHICAGO))

    assert (pieces[0][0], pieces[-1][1]) == stretch
    assert all(one[1] == other[0] for one, other in pairwise(pieces))
    assert all(end - begin >= timedelta(minutes=15) for begin, end in pieces) or length < 15


def test_what_overlaps_lies_side_by_side() -> None:
    places = [Place(0, 30), Place(20, 30), Place(60, 30)]

    assert grid.lanes(places) == [(0, 2), (1, 2), (0, 1)]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(5, 60)), max_size=12))
def test_no_more_than_three_lanes_and_nothing_left_out(found: list[tuple[int, int]]) -> None:
    places = sorted((Place(top, length) for top, length in found), key=lambda one: one.top)

    lanes = grid.lanes(places)

    assert len(lanes) == len(places)
    assert all(0 <= lane < of <= 3 for lane, of in lanes)
