"""Letting a parent act for a child, and the parent's way to the visit: keyboard, small screens, both schemes, axe."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Patient, RelatedPerson, User
from tests import factories
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.party import make_link
from tests.proxies.test_pages import token_of
from visits.booking.models import Appointment

pytestmark = pytest.mark.e2e


@pytest.fixture
def visit(practitioner: Any, patient: Patient, visit_type: Any) -> Appointment:
    """Of a girl who is of age in twenty days."""
    soon = timezone.localdate() + timedelta(days=20)
    patient.birth_date = soon.replace(year=soon.year - 18)
    patient.save()
    start = timezone.now() + timedelta(minutes=5)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


@pytest.mark.parametrize("width", [320, 1440])
def test_a_mother_is_let_act(
    person: Callable[..., Page], client: Any, visit: Appointment, front_desk: User, width: int
) -> None:
    lee = person("lee", viewport={"width": width, "height": 900})
    steps.carry_session(lee, verify(client, front_desk))
    lee.goto(f"/visits/{visit.pk}/")
    look(lee)
    lee.get_by_role("link", name="Who acts for the patient").press("Enter")
    expect(lee.get_by_text("Nobody acts for this patient.")).to_be_visible()
    look(lee)
    lee.get_by_role("link", name="Let somebody act for the patient").press("Enter")
    look(lee)
    lee.get_by_role("button", name="Save").press("Enter")
    expect(lee.get_by_role("heading", name="There is a problem")).to_be_visible()
    look(lee)
    lee.get_by_label("First name").fill("Ana")
    lee.get_by_label("Last name").fill("Ruiz")
    lee.get_by_label("To the patient").select_option("MTH")
    lee.get_by_label("E-mail").fill("ana@example.org")
    lee.get_by_role("button", name="Save").press("Enter")

    expect(lee.get_by_role("heading", name="Ana Ruiz Mother")).to_be_visible()
    expect(lee.get_by_text("this ends by itself")).to_be_visible()
    look(lee)
    assert RelatedPerson.objects.get().valid_until == visit.patient.of_age_on - timedelta(days=1)


def test_the_mothers_way_to_the_visit(person: Callable[..., Page], visit: Appointment) -> None:
    ana = factories.make_proxy(visit.patient, given_name="Ana", family_name="Ruiz")
    page = person("ana", **SMALL)
    born = visit.patient.birth_date

    page.goto(token_of(make_link(visit, proxy=ana)))
    look(page)
    page.get_by_label("Birth date of Rosa").fill(f"{born:%m/%d/%Y}")
    page.get_by_role("button", name="Continue").press("Enter")
    expect(page.get_by_text("You act for Rosa.")).to_be_visible()
    look(page)
    steps.details(page)
    page.get_by_role("button", name="Check camera and sound").click()
    page.get_by_role("button", name="Go to the waiting room").click()
    expect(page).to_have_url(re.compile("/waiting/$"))
    expect(page.get_by_text("You act for Rosa.")).to_be_visible()
    look(page)
    page.goto(f"/my/{visit.pk}/visit/")
    look(page)
