"""Saying by what one wants to be written to: by keyboard, at each width, light and dark, in both languages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Patient, User
from tests import factories
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import look
from tests.party import browser, make_link
from tests.reminders.conftest import set_policy
from visits.booking.models import Appointment
from visits.reminders.services import preferences

pytestmark = pytest.mark.e2e


@pytest.fixture
def visit(practitioner: Any, patient: Patient, visit_type: Any) -> Appointment:
    set_policy(practitioner.clinic, sms=True)
    start = timezone.now() + timedelta(days=2)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


@pytest.mark.parametrize(("width", "language"), [(320, "en"), (390, "es"), (1440, "en")])
def test_a_patient_says_no_to_texts(
    person: Callable[..., Page], visit: Appointment, patient: Patient, width: int, language: str
) -> None:
    words = {"en": ("How we write to you", "Text messages", "Save", "Saved.")}
    words["es"] = ("Cómo le escribimos", "Mensajes de texto", "Guardar", "Guardado.")
    title, texts, save, saved = words[language]
    patient.language = language
    patient.save()
    locale = {"en": "en-US", "es": "es-MX"}[language]
    rosa = person("rosa", viewport={"width": width, "height": 900}, locale=locale)
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/visits/")
    rosa.get_by_role("link", name=title).press("Enter")
    expect(rosa.get_by_role("heading", name=title)).to_be_visible()
    look(rosa)

    rosa.get_by_role("checkbox", name=texts).press("Space")
    rosa.get_by_role("button", name=save).press("Enter")

    expect(rosa.get_by_text(saved)).to_be_visible()
    expect(rosa.get_by_role("checkbox", name=texts)).not_to_be_checked()
    look(rosa)
    known = preferences.of(patient, "sms")
    assert known is not None
    assert known.opted_out_at is not None


@pytest.mark.parametrize("width", [320, 1440])
def test_the_desk_notes_what_a_patient_says(
    person: Callable[..., Page], visit: Appointment, patient: Patient, front_desk: User, client: Any, width: int
) -> None:
    factories.make_proxy(patient, phone="5550100199", messages="both")
    preferences.note_bounce(patient, "email", patient.email)
    desk = person("desk", viewport={"width": width, "height": 900})
    steps.carry_session(desk, verify(client, front_desk))
    desk.goto(f"/visits/{visit.pk}/")
    desk.get_by_role("link", name="How messages reach the patient").press("Enter")
    expect(desk.get_by_role("heading", name="How messages reach the patient")).to_be_visible()
    look(desk)

    desk.get_by_role("checkbox", name="E-mails").first.press("Space")
    desk.get_by_role("button", name="Save").press("Enter")

    expect(desk.get_by_text("Saved.")).to_be_visible()
    known = preferences.of(patient, "email")
    assert known is not None
    assert known.opted_out_at is not None
