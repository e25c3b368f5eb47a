"""A patient makes an account, signs in, adds a second factor, ends it: keyboard, small and wide screens, axe."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Patient
from tests import factories
from tests.e2e import steps
from tests.e2e.test_patient_pages import look
from tests.party import browser, make_link
from tests.patients.conftest import code_sent
from visits.booking.models import Appointment

pytestmark = pytest.mark.e2e


@pytest.fixture
def visit(practitioner: Any, patient: Patient, visit_type: Any) -> Appointment:
    start = timezone.now() + timedelta(days=2)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_an_account_from_its_making_to_its_end(person: Callable[..., Page], visit: Appointment, width: int) -> None:
    """Row 34 of the checklist: a patient's account, at every width."""
    cache.clear()
    rosa = person("rosa", viewport={"width": width, "height": 900})
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/visit/")
    look(rosa)
    rosa.get_by_role("button", name="Make my account").press("Enter")
    expect(rosa.get_by_role("heading", name="Type the code that we sent")).to_be_visible()
    look(rosa)
    rosa.get_by_label("Code").fill(code_sent())
    rosa.get_by_label("Code").press("Enter")
    expect(rosa.get_by_text("Your account is made.")).to_be_visible()
    look(rosa)
    rosa.get_by_role("link", name="My account").press("Enter")
    expect(rosa.get_by_role("heading", name="A second factor")).to_be_visible()
    look(rosa)
    rosa.get_by_role("button", name="Sign out here").press("Enter")
    expect(rosa.get_by_role("heading", name="Sign in to your visits")).to_be_visible()
    look(rosa)
    rosa.get_by_label("E-mail").fill("rosa@example.org")
    rosa.get_by_label("E-mail").press("Enter")
    expect(rosa.get_by_role("heading", name="Enter your code")).to_be_visible()
    look(rosa)
    rosa.get_by_label("Code").fill(code_sent())
    rosa.get_by_label("Your birth date").fill("3/14/1979")
    rosa.get_by_label("Your birth date").press("Enter")
    expect(rosa.get_by_role("heading", name="My visits")).to_be_visible()
    rosa.get_by_role("link", name="Open").first.press("Enter")
    expect(rosa.get_by_role("heading", name="Your visit")).to_be_visible()
    rosa.goto("/me/account/end/")
    look(rosa)
    rosa.get_by_role("button", name="End my account").press("Enter")
    expect(rosa.get_by_text("Your account is ended.")).to_be_visible()
