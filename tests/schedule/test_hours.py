"""A clinic's days on its own clock."""

from datetime import datetime, timedelta

import pytest

from accounts.models import Clinic
from visits.schedule.hours import bounds_of_day, zone_of

CLINIC = Clinic(time_zone="America/Chicago")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-24", 24)])
@pytest.mark.parametrize("clock", ["00:00", "12:00", "23:59"])
def test_a_day_lasts_from_its_midnight_to_the_next_also_when_the_clocks_change(
    day: str, hours: int, clock: str
) -> None:
    zone = zone_of(CLINIC)

    start, end = bounds_of_day(CLINIC, datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone))

    assert end - start == timedelta(hours=hours)
    assert start.astimezone(zone) == datetime.fromisoformat(day).replace(tzinfo=zone)
