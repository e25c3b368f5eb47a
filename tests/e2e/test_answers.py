"""Confirm, cancel, and no more reminders by the links in mails: by keys, at phone and desktop width, with axe."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Patient
from tests import factories
from tests.e2e.test_patient_pages import look
from visits.booking.models import Appointment
from visits.reminders import links
from visits.reminders.models import Communication, Confirmation, ContactPreference
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.e2e


@pytest.fixture
def message(practitioner: Any, patient: Patient, visit_type: Any) -> Communication:
    """The confirmation of a visit in two days."""
    SchedulePolicy.objects.create(clinic=practitioner.clinic, change_notice=1)
    start = timezone.now() + timedelta(days=2)
    visit = factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)
    return Communication.objects.create(
        appointment=visit, patient=patient, kind="confirmation", due_at=timezone.now(), revision=visit.revision
    )


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_one_answers_a_message_by_keys(person: Callable[..., Page], message: Communication, width: int) -> None:
    """Row 34 of the checklist: the pages behind the links in messages, at every width."""
    rosa = person("rosa", viewport={"width": width, "height": 900})
    rosa.goto(urlsplit(links.to_answer(message)).path)
    expect(rosa.get_by_role("heading", name="Will you come?")).to_be_visible()
    look(rosa)
    assert not Confirmation.objects.exists(), "to look is not to answer"
    rosa.get_by_role("button", name="Yes, I will come").press("Enter")
    expect(rosa.get_by_role("heading", name="Thank you, we expect you")).to_be_visible()
    look(rosa)
    assert Confirmation.objects.get().appointment_id == message.appointment_id

    rosa.get_by_role("button", name="Cancel my visit").press("Enter")
    expect(rosa.get_by_role("heading", name="Your visit is cancelled")).to_be_visible()
    look(rosa)
    assert Appointment.objects.get().status == Appointment.Status.CANCELLED


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_one_ends_reminders_by_keys_and_takes_that_back(
    person: Callable[..., Page], message: Communication, width: int
) -> None:
    rosa = person("rosa", viewport={"width": width, "height": 900})
    rosa.goto(urlsplit(links.to_stop(message.recipient, message.channel)).path)
    expect(rosa.get_by_role("heading", name="No more reminders by e-mail?")).to_be_visible()
    look(rosa)
    rosa.get_by_role("button", name="No more reminders").press("Enter")
    expect(rosa.get_by_role("heading", name="You get no more reminders by e-mail")).to_be_visible()
    look(rosa)
    assert ContactPreference.objects.get().opted_out_at
    rosa.get_by_role("button", name="Send me reminders again").press("Enter")
    expect(rosa.get_by_role("heading", name="No more reminders by e-mail?")).to_be_visible()
    assert not ContactPreference.objects.filter(opted_out_at__isnull=False).exists()
