"""The waitlist and running late in a browser: by keyboard, on a small phone, in both schemes, and axe on each page."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Clinic, Practitioner, User
from tests import factories
from tests.conftest import staff, verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.party import bearer, browser, make_link
from tests.waiting.conftest import make_ready
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.schedule.models import VisitType
from visits.waiting import services as waiting
from visits.waitlist import services as waitlist
from visits.waitlist.models import WaitlistEntry

pytestmark = pytest.mark.e2e


@pytest.fixture
def noon(clinic: Clinic) -> ZoneInfo:
    """The clinic is where it is about noon now: nobody sleeps, and the whole day lies around us."""
    clinic.time_zone = factories.midday_zone()
    clinic.save()
    return ZoneInfo(clinic.time_zone)


@pytest.fixture
def booked(
    noon: ZoneInfo, clinic: Clinic, practitioner: Practitioner, patient: Any, visit_type: VisitType, front_desk: User
) -> tuple[Appointment, Appointment]:
    """Rosa's visit in a week, and somebody else's in two days."""
    for weekday in range(7):
        factories.make_hours(practitioner, weekday)
    morning = timezone.now().astimezone(noon).replace(hour=9, minute=0, second=0, microsecond=0)

    def book(days: int, whose: Any) -> Appointment:
        return booking.book(
            principal=staff(front_desk),
            practitioner=practitioner,
            patient=whose,
            visit_type=visit_type,
            start=morning + timedelta(days=days),
        )

    return book(7, patient), book(2, factories.make_patient(clinic, given_name="Omar"))


def offer_of(gap: Appointment, user: User) -> None:
    """Cancel the visit, and have its time offered."""
    booking.cancel(principal=staff(user), visit=gap)
    waitlist.tick()


def test_a_patient_asks_for_an_earlier_time_and_takes_it(
    person: Callable[..., Page], booked: tuple[Appointment, Appointment], front_desk: User
) -> None:
    visit, gap = booked
    rosa = person("rosa", **SMALL)
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/details/")
    rosa.get_by_role("link", name="Would you like to come earlier?").click()
    look(rosa)
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
        rosa.get_by_label(day).focus()
        rosa.keyboard.press("Space")
    rosa.get_by_role("button", name="Put me on the waitlist").click()
    expect(rosa.get_by_role("heading", name="There is a problem")).to_be_visible()
    look(rosa)
    rosa.get_by_role("link", name="Choose at least one day.").click()
    expect(rosa.get_by_label("Monday")).to_be_focused()
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
        rosa.get_by_label(day).focus()
        rosa.keyboard.press("Space")
    rosa.get_by_role("button", name="Put me on the waitlist").click()
    expect(rosa.get_by_role("heading", name="You are on the waitlist")).to_be_visible()
    look(rosa)
    rosa.get_by_text("Change days or times").click()
    look(rosa)

    steps.behind(offer_of, gap=gap, user=front_desk)
    rosa.reload()
    look(rosa)
    rosa.get_by_role("link", name="Look at this time").click()
    expect(rosa).to_have_url(re.compile("/offers/"))
    look(rosa)
    rosa.get_by_role("button", name="Yes, take the earlier time").focus()
    rosa.keyboard.press("Enter")
    expect(rosa.get_by_role("heading", name="The earlier time is yours")).to_be_visible()
    look(rosa)
    assert Appointment.objects.get(pk=visit.pk).start == gap.start


@pytest.mark.parametrize("width", [320, 1440])
def test_staff_put_a_visit_on_the_list(
    person: Callable[..., Page], booked: tuple[Appointment, Appointment], front_desk: User, width: int
) -> None:
    visit, gap = booked
    lee = person("lee", viewport={"width": width, "height": 900})
    steps.carry_session(lee, verify(Client(), front_desk))
    lee.goto(f"/visits/{visit.pk}/")
    lee.get_by_role("link", name="Earlier time").click()
    look(lee)
    lee.get_by_role("button", name="Put on the waitlist").click()
    expect(lee.get_by_role("heading", name="On the waitlist")).to_be_visible()
    steps.behind(offer_of, gap=gap, user=front_desk)
    lee.reload()
    expect(lee.get_by_text("offered")).to_be_visible()
    look(lee)
    lee.get_by_role("button", name="Take off the list").click()
    expect(lee.get_by_role("heading", name="On the waitlist")).to_have_count(0)
    assert WaitlistEntry.objects.get().end == WaitlistEntry.End.LEFT


@pytest.mark.parametrize("width", [320, 1440])
def test_a_clinician_is_late(
    person: Callable[..., Page], noon: ZoneInfo, practitioner: Practitioner, clinician: User, clinic: Clinic, width: int
) -> None:
    visit_type = factories.make_visit_type(clinic, minutes=20)
    visits = [
        factories.make_visit(practitioner, visit_type=visit_type, start=timezone.now() + timedelta(minutes=20 * n))
        for n in range(4)
    ]
    make_ready(visits[0])
    waiting.arrive(principal=bearer(make_link(visits[0])), visit=visits[0])
    doctor = person("doctor", viewport={"width": width, "height": 900})
    rosa = person("rosa", **SMALL)
    steps.carry_session(rosa, browser(make_link(visits[0])))
    rosa.goto(f"/my/{visits[0].pk}/waiting/")
    steps.carry_session(doctor, verify(Client(), clinician))
    doctor.goto("/today/")
    doctor.get_by_role("radio", name="5", exact=True).focus()
    doctor.keyboard.press("ArrowRight")
    doctor.keyboard.press("ArrowRight")
    expect(doctor.get_by_text("We tell 1 waiting and 3 upcoming patients.")).to_have_count(2)
    expect(doctor.get_by_role("radio", name="15")).to_be_focused()
    look(doctor)
    # The board comes anew, and the choice stays.
    doctor.evaluate("() => htmx.trigger('#board', 'board:refresh')")
    expect(doctor.get_by_role("radio", name="15")).to_be_checked()
    doctor.get_by_role("button", name="Tell 4 patients").click()
    expect(doctor.get_by_text("4 patients are told.")).to_be_visible()
    look(doctor)
    expect(rosa.get_by_text("is running about 15 minutes late")).to_be_visible()
    look(rosa)

    doctor.get_by_role("link", name="Move later visits").click()
    look(doctor)
    doctor.get_by_role("button", name="Move 3 visits").click()
    expect(doctor.get_by_text("3 visits are moved.")).to_be_visible()
    doctor.get_by_role("button", name="On time again").click()
    expect(doctor.get_by_text("is on time again")).to_be_visible()
    expect(rosa.get_by_text("is running about 15 minutes late")).to_have_count(0)
    start = Appointment.objects.get(pk=visits[1].pk).start
    assert start == visits[1].start + timedelta(minutes=15)
