"""Booking at the public page, moving and cancelling, as patients do: keyboard, small screens, both schemes."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Clinic
from tests import factories
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.party import browser, make_link
from visits.booking.models import Appointment, Hold
from visits.online import codes
from visits.online.models import Verification
from visits.schedule.models import SchedulePolicy, VisitType

pytestmark = pytest.mark.e2e


@pytest.fixture
def open_clinic(clinic: Clinic, practitioner: Any) -> Clinic:
    """Books online, around the clock."""
    cache.clear()
    SchedulePolicy.objects.create(clinic=clinic, online_booking=True, walk_ins=True)
    for name, minutes in (("Check-up", 20), ("Long talk", 60)):
        factories.make_visit_type(clinic, name=name, minutes=minutes, booked_by=VisitType.BookedBy.PATIENT)
    second = factories.make_practitioner(clinic, name="Mei Lindqvist, NP", specialty="Family medicine")
    for one in (practitioner, second):
        for weekday in range(7):
            factories.make_hours(one, weekday, "09:00", "16:00")
    return clinic


def tell(page: Page, **changes: str) -> None:
    about = {"First name": "Halima", "Last name": "Yusuf", "Birth date": "4/30/1985", "E-mail": "halima@example.org"}
    for label, value in (about | changes).items():
        page.get_by_label(label, exact=True).fill(value)
    page.wait_for_timeout(2500)  # slower than a program


def code() -> str:
    """What the mail says that a worker would have sent."""
    steps.behind(codes.deliver, verification=Verification.objects.select_related("clinic").latest("created_at"))
    found = re.search(r"\b\d{6}\b", mail.outbox[-1].body)
    assert found
    return found[0]


def go_on(page: Page, name: str = "Continue") -> None:
    page.locator("main").get_by_role("button", name=name).last.click()


def show(page: Page, n: int) -> None:
    """The times of the nth free day, once they are there."""
    day = page.locator(".day[href]").nth(n)
    day.click()
    expect(day).to_have_attribute("aria-current", "true")


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_page_on_a_small_screen(person: Callable[..., Page], open_clinic: Clinic, language: str) -> None:
    locale = {"en": "en-US", "es": "es-US"}[language]
    page = person("halima", **SMALL, locale=locale, timezone_id="America/Denver")
    words = {
        "en": ("Continue", "Book visit", "Your visit is booked", "Who is the visit for?", "Type the code that we sent"),
        "es": (
            "Continuar",
            "Reservar visita",
            "Su visita está reservada",
            "¿Para quién es la visita?",
            "Escriba el código que le enviamos",
        ),
    }[language]
    page.goto("/book/riverside/")
    expect(page.locator("#zone")).to_have_value("America/Denver")
    expect(page.locator("#when small").first).to_be_visible()
    page.wait_for_url(re.compile("zone=America%2FDenver"))
    look(page)
    go_on(page, words[0])
    expect(page.locator(".errors")).to_be_focused()
    look(page)
    show(page, 1)
    page.locator(".slots .pick").nth(2).click()
    go_on(page, words[0])
    heading(page, words[3])
    look(page)
    go_on(page, words[0])
    expect(page.locator(".errors")).to_be_focused()
    look(page)
    for field, value in (
        ("given_name", "Halima"),
        ("family_name", "Yusuf"),
        ("birth_date", "30 4 1985" if language == "es" else "4/30/1985"),
        ("email", "halima@example.org"),
    ):
        page.locator(f"#id_{field}").fill(value)
    page.wait_for_timeout(2500)
    go_on(page, words[0])
    heading(page, words[4])
    look(page)
    page.locator("#id_code").fill("x")
    go_on(page, words[1])
    expect(page.locator(".errors")).to_be_focused()
    page.locator("#id_code").fill(code())
    go_on(page, words[1])
    heading(page, words[2])
    look(page)
    visit = Appointment.objects.get()
    assert (visit.patient.language, visit.patient.time_zone) == (language, "America/Denver")
    for path in ("move", "cancel", "visits"):
        page.goto(f"/my/{visit.pk}/{path}/")
        look(page)


def test_with_the_keyboard_alone(person: Callable[..., Page], open_clinic: Clinic) -> None:
    page = person("halima", timezone_id="America/Chicago")
    page.goto("/book/riverside/")

    page.locator("#type").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#when input[name=type]")).to_have_value(str(VisitType.objects.get(name="Long talk").pk))
    expect(page.locator("#type")).to_be_focused()
    day = page.locator(".day[href]").nth(1)
    day.focus()
    page.keyboard.press("Enter")
    expect(day).to_have_attribute("aria-current", "true")
    expect(day).to_be_focused()
    page.keyboard.press("Tab")
    while not page.evaluate("document.activeElement.name === 'start'"):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    heading(page, "Who is the visit for?")
    tell(page)
    page.get_by_label("E-mail", exact=True).press("Enter")
    heading(page, "Type the code that we sent")
    page.get_by_label("Code", exact=True).fill(code())
    page.get_by_label("Code", exact=True).press("Enter")
    heading(page, "Your visit is booked")

    assert Appointment.objects.get().visit_type.name == "Long talk"


def test_a_time_that_ran_out_is_kept_again_and_nothing_typed_is_lost(
    person: Callable[..., Page], open_clinic: Clinic
) -> None:
    page = person("halima", **SMALL, timezone_id="America/Chicago")
    page.goto("/book/riverside/")
    page.locator(".slots .pick").last.click()
    go_on(page)
    tell(page)
    Hold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    go_on(page)

    expect(page.get_by_role("heading", name="Your time has run out")).to_be_visible()
    expect(page.get_by_label("Last name")).to_have_value("Yusuf")
    look(page)
    page.get_by_role("button", name=re.compile("^Keep .* again$")).click()
    heading(page, "Who is the visit for?")
    expect(page.get_by_role("heading", name="Your time has run out")).not_to_be_visible()
    expect(page.get_by_label("E-mail", exact=True)).to_have_value("halima@example.org")
    page.wait_for_timeout(2500)
    go_on(page)
    heading(page, "Type the code that we sent")


def test_moving_and_cancelling(
    person: Callable[..., Page], open_clinic: Clinic, practitioner: Any, patient: Any
) -> None:
    tomorrow = (timezone.now() + timedelta(days=4)).replace(hour=17, minute=0, second=0, microsecond=0)
    kind = VisitType.objects.get(name="Check-up")
    visit = factories.make_visit(practitioner, patient=patient, visit_type=kind, start=tomorrow)
    page = person("rosa", viewport={"width": 390, "height": 844}, timezone_id="America/Chicago")
    steps.carry_session(page, browser(make_link(visit)))
    page.goto(f"/my/{visit.pk}/visit/")
    look(page)
    page.get_by_role("link", name="Choose another time").click()
    page.get_by_label("Why? (optional)").fill("the school play")
    show(page, 2)
    page.locator(".slots .pick").nth(3).click()
    expect(page.get_by_label("Why? (optional)")).to_have_value("the school play")
    page.get_by_role("button", name="Move the visit").click()
    expect(page.get_by_text("Your visit has a new time.")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Cancel the visit").click()
    page.get_by_role("button", name="Cancel the visit").click()
    heading(page, "This visit was cancelled")
    look(page)


def test_without_a_script(person: Callable[..., Page], open_clinic: Clinic) -> None:
    page = person("halima", java_script_enabled=False)
    page.goto("/book/riverside/")
    page.get_by_label("Your time zone").select_option("America/Denver")
    page.get_by_role("button", name="Show times").click()
    expect(page.get_by_text("Times in Mountain Time (MT).")).to_be_visible()
    page.locator(".day[href]").nth(1).click()
    page.locator(".slots .pick input").first.check(force=True)
    page.get_by_role("button", name="Continue").last.click()
    heading(page, "Who is the visit for?")
