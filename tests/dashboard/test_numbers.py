"""The database counts what plain Python counts row by row, on either database, over midnight and when clocks change."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from math import ceil

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Clinic, Patient, Practitioner, User
from tests import factories
from tests.dashboard.conftest import Fill, period
from tests.dashboard.reference import numbers_by_hand
from visits.dashboard.ranks import nearest_rank
from visits.dashboard.reading import numbers_of

# In 2026 clocks in Chicago go back on November 1 and forward on March 8.
AFTER_FALL, AFTER_SPRING = date(2026, 11, 5), date(2026, 3, 12)


@pytest.mark.parametrize(
    ("zone", "last", "days", "seed"),
    [
        ("America/Chicago", AFTER_FALL, 7, 1),
        ("America/Chicago", AFTER_SPRING, 7, 2),
        ("America/Chicago", AFTER_FALL, 30, 3),
        ("America/St_Johns", AFTER_FALL, 90, 4),
        ("Pacific/Kiritimati", AFTER_SPRING, 365, 5),
    ],
)
def test_numbers_are_those_of_plain_python(
    practitioner: Practitioner, patient: Patient, stranger: User, fill: Fill,
    zone: str, last: date, days: int, seed: int,
) -> None:  # fmt: skip
    Clinic.objects.update(time_zone=zone)
    practitioner.refresh_from_db()
    clinic = practitioner.clinic
    fill(practitioner, patient, last, days, seed)
    theirs = factories.make_practitioner(stranger.memberships.get().clinic, stranger)
    fill(theirs, factories.make_patient(theirs.clinic), last, days, seed, much=15)
    wanted = period(clinic, last, days)

    found = numbers_of(clinic, wanted)

    assert found == numbers_by_hand(clinic, wanted)
    for counts in vars(found).values():
        assert sum(sum(one.values()) for one in counts) > 10


def test_a_visit_over_midnight_belongs_to_the_day_that_it_starts_on(practitioner: Practitioner) -> None:
    start = datetime(2026, 11, 2, 5, 50, tzinfo=UTC)  # 11:50 pm on the day on which clocks went back
    factories.make_visit(practitioner, start=start, end=start + timedelta(minutes=30), status="fulfilled")

    found = numbers_of(practitioner.clinic, period(practitioner.clinic, date(2026, 11, 2), 7))

    assert [sum(one.values()) for one in found.visits][7:] == [0, 0, 0, 0, 0, 1, 0]


def test_the_day_on_which_clocks_go_back_has_25_hours(practitioner: Practitioner) -> None:
    midnight = datetime(2026, 11, 1, 5, tzinfo=UTC)
    for hour in range(-1, 26):
        factories.make_visit(practitioner, start=midnight + timedelta(hours=hour), status="noshow")

    found = numbers_of(practitioner.clinic, period(practitioner.clinic, date(2026, 11, 2), 7))

    assert [one["noshow"] for one in found.visits][7:] == [0, 0, 0, 0, 1, 25, 1]


def test_there_are_as_many_queries_for_a_year_as_for_a_week_and_for_much_as_for_nothing(
    practitioner: Practitioner, patient: Patient, fill: Fill
) -> None:
    def queries(days: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            numbers_of(practitioner.clinic, period(practitioner.clinic, AFTER_FALL, days))
        return len(seen)

    assert queries(7) == 6
    fill(practitioner, patient, AFTER_FALL, 7, much=10)
    assert [queries(days) for days in (7, 30, 90, 365)] == [6] * 4


@pytest.mark.parametrize("size", [1, 2, 9, 10, 11, 100, 333])
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(size: int) -> None:
    values = [random.Random(size + n).uniform(-5, 60) for n in range(size)]
    rounded = Counter(ceil(value) for value in values)

    for percent in (50, 90, 100):
        exact = sorted(values)[ceil(size * percent / 100) - 1]
        assert nearest_rank(rounded, percent) == ceil(exact)


def test_nothing_has_no_percentile() -> None:
    assert nearest_rank({}, 50) is None
