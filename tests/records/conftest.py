"""A patient with something of everything, long ago."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.audit.services import Action, record
from accounts.models import Clinic, EmergencyAccess, Patient, Practitioner, RelatedPerson, User
from accounts.principal import Principal
from tests import factories
from tests.conftest import staff
from tests.party import make_link
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.intake.models import Questionnaire, QuestionnaireResponse
from visits.records.models import LegalHold
from visits.reminders.models import Communication, ContactPreference
from visits.room.models import Encounter, LineMinute, Presence, Seat
from visits.summary.models import Composition
from visits.waitlist.models import WaitlistEntry

LONG_AGO = datetime(2010, 5, 4, 15, tzinfo=UTC)
CANARY = "zqcanary"
PHONE = "(512) 555-0188"


@pytest.fixture
def as_admin(clinic_admin: User) -> Principal:
    return staff(clinic_admin)


@pytest.fixture
def rosa(clinic: Clinic) -> Patient:
    return factories.make_patient(
        clinic,
        given_name=f"{CANARY}-given",
        family_name=f"{CANARY}-family",
        birth_date=date(1979, 3, 14),
        email=f"{CANARY}@example.org",
        phone=PHONE,
        time_zone="America/New_York",
        language="es",
    )


@pytest.fixture
def lived(rosa: Patient, practitioner: Practitioner, clinician: User, front_desk: User) -> Appointment:
    """A visit that took place, with agreement, check-in, messages, guests, people who were there and who looked."""
    return live(rosa, practitioner, clinician, front_desk, LONG_AGO)


def live(
    patient: Patient, practitioner: Practitioner, clinician: User, front_desk: User, start: datetime
) -> Appointment:
    visit = factories.make_visit(practitioner, patient=patient, start=start, status="fulfilled")
    cancelled = factories.make_visit(
        practitioner,
        patient=patient,
        start=start - timedelta(days=7),
        status="cancelled",
        cancelation_reason=f"{CANARY} is ill",
    )
    AppointmentChange.objects.create(
        appointment=cancelled,
        change="cancelled",
        at=start - timedelta(days=8),
        role="patient",
        revision=1,
        start=cancelled.start,
        practitioner=practitioner,
        reason=f"{CANARY} is ill",
    )
    text = ConsentText.objects.get(clinic=visit.clinic, language="es")
    Consent.objects.create(appointment=visit, patient=patient, text=text, given_at=start)
    CheckIn.objects.create(
        appointment=visit,
        callback_phone=PHONE,
        location=f"{CANARY} Lane 1",
        emergency_contact=f"{CANARY} mother",
        details_at=start,
    )
    Communication.objects.create(
        appointment=visit,
        kind=Communication.Kind.REMINDER,
        lead=60,
        due_at=start - timedelta(hours=1),
        planned_at=start - timedelta(days=1),
        state=Communication.State.SENT,
        dispatched_at=start - timedelta(hours=1),
        sent_at=start - timedelta(hours=1),
        address=f"{CANARY}@example.org",
        provider_id=f"{CANARY}-1",
    )
    ContactPreference.objects.create(
        patient=patient, channel="email", bounced_at=start, bounced_address=f"{CANARY}@example.org"
    )
    WaitlistEntry.objects.create(
        appointment=cancelled, last_day=cancelled.start.date(), ended_at=start - timedelta(days=8), end="closed"
    )
    encounter = Encounter.objects.create(
        appointment=visit,
        status="finished",
        started_at=start,
        ended_at=start + timedelta(minutes=18),
        ended_by=clinician,
        encryption="preferred",
    )
    link, guest = make_link(visit), make_link(visit, guest=f"{CANARY} guest")
    people: list[dict[str, Any]] = [
        {"user": clinician, "name": clinician.name, "role": "clinician"},
        {"link": link, "name": patient.full_name, "role": "patient"},
        {"link": guest, "name": f"{CANARY} guest", "role": "guest"},
    ]
    for who in people:
        seat = Seat.objects.create(encounter=encounter, **who)
        Presence.objects.create(
            seat=seat, epoch=1, joined_at=start, seen_at=start, left_at=start + timedelta(minutes=17)
        )
        LineMinute.objects.create(seat=seat, minute=start, seconds=60)
    Composition.objects.create(
        appointment=visit,
        status="final",
        language="es",
        author=clinician,
        author_name=practitioner.name,
        what_to_do=f"{CANARY} <b>pills</b>",
        published_at=start,
    )
    EmergencyAccess.objects.create(
        clinic=patient.clinic, user=clinician, patient=patient, reason=f"{CANARY} lay unconscious",
        opened_at=start, expires_at=start + timedelta(hours=1),
    )  # fmt: skip
    RelatedPerson.objects.create(
        patient=patient,
        given_name=f"{CANARY} Ana",
        family_name="Marín",
        relationship="SIB",
        email=f"{CANARY}-ana@example.org",
        basis="patient",
        basis_note=f"{CANARY} said so",
        valid_from=start.date(),
        granted_by=front_desk,
    )
    asked = Questionnaire.objects.create(clinic=visit.clinic, title_en="Before your visit")
    for position, (link_id, kind, text) in enumerate(
        [
            ("a", "boolean", "Fever?"),
            ("b", "integer", "How old?"),
            ("c", "text", "What hurts?"),
            ("d", "date", "Since?"),
        ]
    ):
        asked.items.create(link_id=link_id, position=position, type=kind, text_en=text)
    answers = json.dumps({"a": True, "b": 0, "c": f"{CANARY} knee", "d": "2010-05-01"})
    QuestionnaireResponse.objects.create(
        appointment=visit, questionnaire=asked, status="completed", authored_at=start, answers=answers
    )
    for user in (clinician, front_desk):
        record("visit.view", Action.READ, principal=staff(user), entity=visit, patient=patient)
    return visit


@pytest.fixture
def hold(rosa: Patient, clinic_admin: User) -> LegalHold:
    return LegalHold.objects.create(patient=rosa, reason="Case 12", placed_by=clinic_admin, placed_at=timezone.now())
