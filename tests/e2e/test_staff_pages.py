"""Sign-in, booking and the admin in a browser: what front desk and admins do, and axe on each page."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Practitioner, User
from accounts.policy import Role
from tests import factories
from tests.conftest import staff
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from visits.booking import services
from visits.booking.models import Appointment, Hold
from visits.schedule.models import VisitType

pytestmark = pytest.mark.e2e


@pytest.fixture
def hours(practitioner: Practitioner) -> None:
    """Every day, so that the next days have free times whenever the test runs."""
    for weekday in range(7):
        factories.make_hours(practitioner, weekday)


def test_enrolling_a_phone(person: Callable[..., Page], clinic: Any, practitioner: Practitioner) -> None:
    newcomer = factories.make_member(clinic, Role.CLINICIAN, name="Nia New", email="nia@example.org")
    page = person("nia", **SMALL)
    page.goto("/signin/")
    look(page)
    page.get_by_label("E-mail").fill(newcomer.email)
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="There is a problem")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value(newcomer.email)
    look(page)
    page.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile("/mfa/setup/$"))
    look(page)
    secret = "".join((page.locator(".secret").text_content() or "").split())
    page.get_by_role("textbox", name="Code").fill(steps.code_from(secret))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Save these recovery codes")).to_be_visible()
    look(page)
    page.get_by_label("I have saved them").check()
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile("/today/$"))


def test_a_slot_that_is_taken_meanwhile_loses_nothing_that_was_typed(
    person: Callable[..., Page], front_desk: User, practitioner: Practitioner, visit_type: VisitType, hours: None
) -> None:
    lee = person("lee")
    steps.sign_in(lee, front_desk)
    lee.goto("/book/")
    look(lee)
    lee.get_by_role("button", name="Find").click()
    lee.get_by_text("New patient").click()
    for label, value in {
        "First name": "Nadia",
        "Last name": "Petrov",
        "Birth date": "03/14/1979",
        "E-mail": "nadia@example.org",
    }.items():
        lee.get_by_label(label, exact=True).fill(value)
    lee.get_by_label("Clinician").select_option(label=practitioner.name)
    steps.choose_day(lee, practitioner.clinic, 1)
    slots = lee.locator(".slots .pick input:enabled")
    expect(slots.nth(3)).to_be_attached()
    lee.locator(".slots .pick:has(input:enabled)").nth(3).click()
    expect(lee.get_by_text("Held for you until")).to_be_visible()
    expect(lee.locator(".htmx-request")).to_have_count(0)
    # The telephone rang, and five minutes are over.
    Hold.objects.update(expires_at=timezone.now())
    take(datetime.fromisoformat(slots.nth(3).get_attribute("value")), practitioner, visit_type, front_desk)

    lee.get_by_role("button", name="Book visit").click()
    expect(lee.get_by_role("heading", name="was just taken")).to_be_visible()
    expect(lee.get_by_label("First name", exact=True)).to_have_value("Nadia")
    look(lee)
    lee.locator("button[name=choose]").first.click()
    if lee.url.endswith("/book/"):
        lee.get_by_role("button", name="Book visit").click()

    expect(lee).to_have_url(re.compile("/visits/[0-9a-f-]+/$"))
    expect(lee.get_by_role("heading", name="Nadia Petrov")).to_be_visible()
    assert Appointment.objects.filter(status=Appointment.Status.BOOKED).count() == 2
    look(lee)
    lee.get_by_role("link", name="Cancel visit").click()
    look(lee)


def take(start: datetime, practitioner: Practitioner, visit_type: VisitType, by: User) -> None:
    """A colleague books the slot while the form is open."""
    steps.behind(
        services.book,
        principal=staff(by),
        practitioner=practitioner,
        patient=factories.make_patient(practitioner.clinic),
        visit_type=visit_type,
        start=start,
    )


def test_the_admin(person: Callable[..., Page], clinic_admin: User, visit: Appointment) -> None:
    ada = person("ada")
    code = steps.code_of(clinic_admin)
    ada.goto("/admin/")
    expect(ada).to_have_url(re.compile("/signin/"))
    ada.get_by_label("E-mail").fill(clinic_admin.email)
    ada.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    ada.get_by_role("button", name="Continue").click()
    ada.get_by_label("code").fill(code)
    ada.get_by_role("button", name="Sign in", exact=True).click()
    ada.goto("/admin/")

    for name in ("Clinics", "Users", "Visits", "Messages", "Audit trail"):
        ada.goto("/admin/")
        ada.locator("#content-main").get_by_role("link", name=name, exact=True).click()
        expect(ada.locator("#changelist")).to_be_visible()
    assert ada.locator("#result_list tbody tr").count() > 0
    expect(ada.locator(".object-tools .addlink")).to_have_count(0)  # the trail takes no new rows by hand
