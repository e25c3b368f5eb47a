"""A visit that is about to start, whose patient is ready to wait."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests import factories
from tests.checkin.conftest import (  # noqa: F401
    as_guest,
    as_patient,
    guest_client,
    patient_client,
    patient_link,
)
from tests.party import bearer, make_link
from visits.booking.models import Appointment
from visits.checkin import services as checkin
from visits.waiting import services


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    """It starts in ten minutes, and the patient has confirmed details and agreed."""
    visit = factories.make_visit(
        practitioner, patient=patient, visit_type=visit_type, start=timezone.now() + timedelta(minutes=10)
    )
    make_ready(visit)
    return visit


def make_ready(visit: Appointment) -> None:
    principal = bearer(make_link(visit))
    checkin.save_details(
        principal=principal, visit=visit, callback_phone="5550100177", location="Home", emergency_contact=""
    )
    text = checkin.consent_text(visit.clinic, "en")
    assert text is not None
    checkin.give_consent(principal=principal, visit=visit, text=text)


def make_arrived(practitioner: Any, minutes: int, **fields: Any) -> Appointment:
    """A visit of another patient that starts ``minutes`` from now, who is here."""
    visit = factories.make_visit(practitioner, start=timezone.now() + timedelta(minutes=minutes), **fields)
    make_ready(visit)
    services.arrive(principal=bearer(make_link(visit)), visit=visit)
    visit.refresh_from_db()
    return visit
