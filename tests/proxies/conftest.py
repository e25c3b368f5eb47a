"""Rosa, her mother Ana who acts for her, and a visit to come."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Patient, RelatedPerson, User
from accounts.principal import Principal
from tests import factories
from tests.conftest import staff
from tests.party import bearer, make_link
from visits.booking.models import Appointment

CHICAGO, HONOLULU = ZoneInfo("America/Chicago"), ZoneInfo("Pacific/Honolulu")


@pytest.fixture
def desk(front_desk: User) -> Principal:
    return staff(front_desk)


@pytest.fixture
def ana(patient: Patient, front_desk: User) -> RelatedPerson:
    return factories.make_proxy(
        patient, given_name="Ana", family_name="Ruiz", email="ana@example.org", granted_by=front_desk
    )


@pytest.fixture
def as_ana(ana: RelatedPerson, visit: Appointment) -> Principal:
    return bearer(make_link(visit, proxy=ana))


@pytest.fixture
def allowed(visit: Appointment) -> Callable[..., Principal]:
    """``allowed(reads=True)``: the principal of who was granted just that."""

    def make(**scopes: bool) -> Principal:
        nothing = dict.fromkeys(("manages", "joins", "reads"), False)
        return bearer(make_link(visit, proxy=factories.make_proxy(visit.patient, **nothing | scopes)))

    return make


def instant(text: str, zone: ZoneInfo = CHICAGO) -> datetime:
    """A wall-clock time in ``zone``."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
