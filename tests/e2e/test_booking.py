"""Booking in a browser: a time is held while it is chosen, a visit becomes a series, and is moved."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Patient, Practitioner, User
from tests import factories
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from visits.booking.models import Appointment, Hold
from visits.schedule.models import VisitType

pytestmark = pytest.mark.e2e


@pytest.fixture
def hours(practitioner: Practitioner) -> None:
    """Every day, so that the next days have free times whenever the test runs."""
    for weekday in range(7):
        factories.make_hours(practitioner, weekday)


@pytest.mark.parametrize("size", [SMALL, {}], ids=["phone", "desktop"])
def test_a_series_is_booked_and_one_of_it_moved(
    person: Callable[..., Page],
    front_desk: User,
    practitioner: Practitioner,
    patient: Patient,
    visit_type: VisitType,
    hours: None,
    size: dict[str, int],
) -> None:
    lee = person("lee", **size)
    steps.sign_in(lee, front_desk)
    lee.goto("/book/")
    lee.get_by_label("Find by name").fill(patient.family_name)
    lee.get_by_role("radio", name=patient.full_name).check()
    lee.get_by_label("Clinician").select_option(label="Any clinician")
    steps.choose_day(lee, practitioner.clinic, 2)
    lee.locator(".slots .pick").nth(3).click()
    expect(lee.get_by_text("Held for you until")).to_be_visible()
    assert Hold.objects.count() == 1
    lee.locator(".slots .pick").nth(4).click()
    expect(lee.locator(".slots input").nth(4)).to_be_checked()
    lee.get_by_label("Repeat this visit").check()
    expect(lee.locator(".series input:checked")).to_have_count(4)
    lee.locator(".series label").nth(1).click()
    expect(lee.locator(".series input:checked")).to_have_count(3)
    look(lee)

    lee.get_by_role("button", name="Book visit").click()
    expect(lee).to_have_url(re.compile("/visits/[0-9a-f-]+/$"))
    expect(lee.get_by_text("And 2 more visits.")).to_be_visible()
    look(lee)
    lee.get_by_role("link", name="Move visit").click()
    expect(lee.locator(".slots input").nth(4)).to_be_enabled()
    lee.locator(".slots .pick").nth(0).click()
    expect(lee.get_by_text("Held for you until")).to_be_visible()
    lee.get_by_label("Why?").fill("Snow")
    look(lee)
    lee.get_by_role("button", name="Move visit").click()

    expect(lee.get_by_text("Lee Park: Snow")).to_be_visible()
    look(lee)
    assert Appointment.objects.filter(revision=1).count() == 1
    assert not Hold.objects.exists()

    lee.get_by_role("link", name="Move visit").click()
    lee.get_by_label("Move the 2 visits after it by as much").focus()
    lee.keyboard.press("Space")
    expect(lee.get_by_text("Choose the new time of this visit first.")).to_be_visible()
    expect(lee.get_by_label("Move the 2 visits after it by as much")).to_be_focused()
    lee.locator(".slots .pick").nth(2).click()
    expect(lee.locator(".series input:checked")).to_have_count(2)
    expect(lee.get_by_text("Held for you until")).to_be_visible()
    look(lee)
    lee.get_by_role("button", name="Move visit").click()

    expect(lee.get_by_text("And 2 more visits.")).to_be_visible()
    assert Appointment.objects.filter(revision__gt=0).count() == 3
