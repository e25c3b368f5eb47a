"""A visit that took place, and what its clinician writes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, Practitioner, User
from accounts.principal import Principal
from tests import factories
from tests.conftest import staff, verify
from tests.party import browser
from visits.booking.models import Appointment
from visits.room.models import Encounter
from visits.summary import services
from visits.summary.models import Composition
from visits.summary.services import Text

TEXT = Text("Take the new tablet.", "Call us if your ankles swell.", "Your readings at home.")
CORRECTED = replace(TEXT, what_to_do="Take half a tablet.", correction="The dose was wrong.")


@pytest.fixture
def ended(practitioner: Practitioner, visit: Appointment) -> Appointment:
    return take_place(visit)


@pytest.fixture
def author(clinician: User) -> Principal:
    return staff(clinician)


@pytest.fixture
def published(ended: Appointment, author: Principal) -> Composition:
    return publish(author, ended)


@pytest.fixture
def doctor(clinician: User) -> Client:
    return verify(Client(), clinician)


@pytest.fixture
def rosa(published: Composition) -> Client:
    """The patient's browser, which has redeemed a link to the summary."""
    return browser(link_to(published))


def take_place(visit: Appointment) -> Appointment:
    """The visit was held a while ago, one that took place before in the same test after it."""
    visit.start = timezone.now() - timedelta(hours=2 + Appointment.objects.filter(status="fulfilled").count())
    visit.end = visit.start + timedelta(minutes=20)
    visit.status = Appointment.Status.FULFILLED
    visit.save()
    Encounter.objects.create(
        appointment=visit, status="finished", started_at=visit.start, ended_at=visit.end, encryption="required"
    )
    return visit


def publish(author: Principal, visit: Appointment, text: Text = TEXT, seen: str = "") -> Composition:
    return services.publish(principal=author, visit=visit, text=text, seen=seen or services.draft_of(visit).token)


def save(author: Principal, visit: Appointment, text: Text = TEXT, seen: str = "") -> Composition:
    return services.save(principal=author, visit=visit, text=text, seen=seen or services.draft_of(visit).token)


def link_to(summary: Composition, **fields: Any) -> AccessLink:
    """A link that opens the summary for its patient."""
    visit = summary.appointment
    defaults: dict[str, Any] = {"expires_at": timezone.now() + timedelta(days=30), "patient": visit.patient}
    return links.issue(
        kind=AccessLink.Kind.PATIENT,
        scope=AccessLink.Scope.SUMMARY,
        clinic=visit.clinic,
        resource_id=services.name_of(visit) or summary.pk,
        **defaults | fields,
    )[0]


def colleague(visit: Appointment) -> User:
    """A clinician of the same clinic who had nothing to do with the visit."""
    return factories.make_practitioner(visit.clinic).user
