"""The questions before a visit in a browser: by keys alone, on a small phone, without script; axe in both schemes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from tests import factories
from tests.checkin.test_services import get_ready
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.intake.conftest import ITEMS
from tests.party import bearer, browser, make_link
from visits.booking.models import Appointment

pytestmark = pytest.mark.e2e


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    factories.make_questionnaire(visit_type, *ITEMS)
    start = timezone.now() + timedelta(minutes=5)
    visit = factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)
    get_ready(bearer(make_link(visit)), visit)
    return visit


def test_questions_are_answered_by_keys_and_read_beside_the_call(
    person: Callable[..., Page], visit: Appointment, clinician: User
) -> None:
    rosa = person("rosa", **SMALL)
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/")
    expect(rosa.get_by_role("heading", level=1)).to_have_text("Before your visit")
    look(rosa)

    rosa.get_by_label("What brings you here?").focus()
    rosa.keyboard.type("My knee")
    rosa.get_by_role("button", name="Continue").focus()
    rosa.keyboard.press("Enter")
    expect(rosa.get_by_role("heading", name="There is a problem")).to_be_visible()
    look(rosa)
    # The list leads to the first button of the group, from where arrows choose.
    rosa.get_by_role("link", name="Answer this question: Do you smoke?").focus()
    rosa.keyboard.press("Enter")
    expect(rosa.get_by_role("radio", name="Yes")).to_be_focused()
    rosa.keyboard.press("ArrowDown")
    expect(rosa.get_by_role("radio", name="No")).to_be_checked()
    rosa.get_by_label("How bad is it?").fill("7")
    expect(rosa.get_by_label("What brings you here?")).to_have_value("My knee")
    rosa.get_by_role("button", name="Save and go on later").click()
    expect(rosa.get_by_text("Your answers are kept.")).to_be_visible()
    look(rosa)
    rosa.get_by_role("button", name="Continue").click()
    expect(rosa.get_by_role("heading", level=1)).to_have_text("Check your camera and sound")

    doctor = person("doctor", viewport={"width": 1440, "height": 900})
    steps.carry_session(doctor, verify(Client(), clinician))
    doctor.goto(f"/visits/{visit.pk}/")
    doctor.locator("summary", has_text="Answers").click()
    expect(doctor.get_by_text("My knee")).to_be_visible()
    look(doctor)


def test_without_script_who_is_unwell_goes_on_to_the_line(person: Callable[..., Page], visit: Appointment) -> None:
    rosa = person("rosa", java_script_enabled=False, **SMALL)
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/")
    rosa.get_by_role("button", name="I’d rather answer in the visit").click()

    expect(rosa.get_by_role("heading", level=1)).to_have_text("Check your camera and sound")
