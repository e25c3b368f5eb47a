"""Which days are looked at, and what one bar stands for."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from visits.dashboard.period import CHOICES, Period

LAST = date(2026, 11, 28)
ZONE = ZoneInfo("America/Chicago")


@pytest.mark.parametrize("days", CHOICES)
def test_stretches_are_the_days_without_gaps(days: int) -> None:
    period = Period(days, LAST, ZONE)

    found = [*period.before.stretches, *period.stretches]

    assert found[0].first == LAST - timedelta(days=2 * days - 1)
    assert found[-1].last == LAST
    assert all(one.last + timedelta(days=1) == after.first for one, after in pairwise(found))
    assert len(period.before.stretches) == len(period.stretches)
    assert len(period.edges) == len(found) + 1


def test_short_periods_are_shown_by_days_and_long_ones_by_weeks() -> None:
    lengths = {
        days: [(last - first).days + 1 for first, last in Period(days, LAST, ZONE).stretches] for days in CHOICES
    }

    assert lengths == {7: [1] * 7, 30: [1] * 30, 90: [6, *[7] * 12], 365: [8, *[7] * 51]}


def test_edges_are_midnights_of_the_clinic() -> None:
    edges = Period(7, date(2026, 11, 4), ZONE).edges

    assert edges[0] == datetime(2026, 10, 22, 5, tzinfo=UTC)
    assert edges[-1] == datetime(2026, 11, 5, 6, tzinfo=UTC)
    assert max(after - edge for edge, after in pairwise(edges)) == timedelta(hours=25)
