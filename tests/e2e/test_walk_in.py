"""A walk-in by staff in a browser: found and added by keys alone, the link handed over; a patient's own feed."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import Practitioner, User
from tests import factories
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.e2e


@pytest.fixture
def at_work(practitioner: Practitioner, visit_type: Any) -> Practitioner:
    """Somebody works around the clock, so that the test may run at any time."""
    SchedulePolicy.objects.create(clinic=practitioner.clinic, walk_ins=True)
    for weekday in range(7):
        factories.make_hours(practitioner, weekday, "00:00", "00:00")
    return practitioner


@pytest.mark.parametrize("small", [False, True])
def test_a_walk_in_is_found_and_added_by_keys_and_gets_a_link(
    person: Callable[..., Page], front_desk: User, at_work: Practitioner, patient: Any, small: bool
) -> None:
    lee = person("lee", **(SMALL if small else {}))
    steps.carry_session(lee, verify(Client(), front_desk))
    lee.goto("/today/")
    lee.get_by_role("link", name="Add a walk-in").focus()
    lee.keyboard.press("Enter")
    expect(lee.get_by_role("heading", level=1)).to_have_text("Add a walk-in")
    look(lee)

    lee.get_by_label("Find by name").press_sequentially("Ros")
    expect(lee.get_by_role("radio", name=re.compile("Rosa Marín"))).to_be_attached()
    lee.get_by_role("radio", name=re.compile("Rosa Marín")).press("Space")
    expect(lee.locator("#check")).to_contain_text("Rosa Marín")
    expect(lee.locator("#check")).to_contain_text("E-mail now")
    look(lee)
    lee.get_by_role("button", name="Add to today’s queue").press("Enter")

    expect(lee.locator("main")).to_contain_text("Added to today’s queue, with Dr. Amara Okafor.")
    look(lee)
    lee.get_by_role("button", name="Show a link to copy or print").press("Enter")
    field = lee.get_by_label("Link for the patient")
    expect(field).to_have_value(re.compile(r"/v/[\w-]{43}/$"))
    expect(field).to_be_focused()
    look(lee)
    link = field.input_value()
    lee.get_by_role("link", name="Back to Today").click()
    expect(lee.locator("main")).to_contain_text("Walk-in")
    look(lee)

    rosa = person("rosa", **SMALL)
    steps.check_in(rosa, link)
    expect(lee.locator("#queue")).to_contain_text("Rosa Marín")


def test_what_is_in_the_way_is_said_and_nothing_typed_is_lost(
    person: Callable[..., Page], front_desk: User, at_work: Practitioner
) -> None:
    SchedulePolicy.objects.update(walk_ins=False)
    lee = person("lee")
    steps.carry_session(lee, verify(Client(), front_desk))
    lee.goto("/today/walk-in/")
    expect(lee.locator("main")).to_contain_text("Nobody can be added to the queue now")
    lee.get_by_role("radio", name="New patient").press("Space")
    lee.get_by_label("First name").fill("Halima")
    lee.get_by_label("Last name").fill("Yusuf")
    lee.get_by_label("Birth date", exact=True).fill("4/30/1985")
    lee.get_by_role("button", name="Add to today’s queue").click()

    expect(lee.get_by_role("alert").first).to_contain_text("A clinic admin can.")
    expect(lee.get_by_label("First name")).to_have_value("Halima")
    look(lee)
    lee.get_by_role("button", name="Book a time instead").click()
    expect(lee).to_have_url(re.compile("/book/$"))
    expect(lee.get_by_label("Last name")).to_have_value("Yusuf")


@pytest.mark.parametrize("width", [320, 1440])
def test_a_patients_own_feed(person: Callable[..., Page], visit: Appointment, width: int) -> None:
    rosa = person("rosa", viewport={"width": width, "height": 800})
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/visits/")
    look(rosa)
    rosa.get_by_role("link", name="See my visits in my own calendar").click()
    look(rosa)
    rosa.get_by_role("button", name="Make an address").press("Enter")
    field = rosa.get_by_label("Your address")
    expect(field).to_have_value(re.compile(r"/calendar/feed/[\w-]{43}\.ics$"))
    look(rosa)
    rosa.get_by_role("link", name="Done").click()
    rosa.get_by_role("link", name="See my visits in my own calendar").click()
    rosa.get_by_role("button", name="End the feed").press("Enter")
    expect(rosa.get_by_role("status").first).to_contain_text("The feed has ended.")
    look(rosa)
