"""A clinician with hours, and a Tuesday at ten that is days away."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Practitioner
from tests import factories
from tests.conftest import staff
from visits.booking import services

CHICAGO = ZoneInfo("America/Chicago")


_SOON = datetime.now(CHICAGO).date() + timedelta(days=8)
#: The first Tuesday that is more than a week off, so in no list of days that begins today. It is one day for all of a
#: run, also where midnight falls into it.
TUESDAY = _SOON + timedelta(days=(1 - _SOON.weekday()) % 7)


def at(clock: str, day: date | None = None) -> datetime:
    """A wall-clock time in Chicago, next Tuesday unless told."""
    return datetime.combine(day or TUESDAY, time.fromisoformat(clock), tzinfo=CHICAGO).astimezone(UTC)


@pytest.fixture
def hours(practitioner: Practitioner) -> Practitioner:
    """Nine to noon, Monday to Friday."""
    for weekday in range(5):
        factories.make_hours(practitioner, weekday, "09:00", "12:00")
    return practitioner


@pytest.fixture
def book(front_desk, practitioner, patient, visit_type, hours):
    """``book()``: the front desk books Tuesday at ten for the patient; keywords change one thing."""

    def call(**changes):
        return services.book(
            **{
                "principal": staff(front_desk),
                "practitioner": practitioner,
                "patient": patient,
                "visit_type": visit_type,
                "start": at("10:00"),
            }
            | changes
        )

    return call
