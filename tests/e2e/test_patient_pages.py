"""axe on check-in, device check, waiting room and Today, in both schemes; nothing wider than a small phone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from tests import factories
from tests.conftest import staff, verify
from tests.e2e import steps
from tests.party import bearer, browser, make_link
from tests.waiting.conftest import make_ready
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.waiting import services

pytestmark = pytest.mark.e2e

SMALL = {"viewport": {"width": 320, "height": 640}}


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    start = timezone.now() + timedelta(minutes=5)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


def look(page: Page) -> None:
    expect(page.locator(".htmx-request")).to_have_count(0)  # what is about to be replaced is dimmed
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = [each for each in Axe().run(page).response["violations"] if each["impact"] in {"serious", "critical"}]
        assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


def test_the_patients_pages(person: Callable[..., Page], visit: Appointment, clinician: User) -> None:
    """Row 34 of the checklist: from the link to the waiting room."""
    rosa = person("rosa", **SMALL)
    steps.carry_session(rosa, browser(make_link(visit)))

    rosa.goto(f"/my/{visit.pk}/")
    look(rosa)
    rosa.locator("main").get_by_role("button", name="Continue").last.click()
    expect(rosa.get_by_role("heading", name="There is a problem")).to_be_visible()
    look(rosa)
    steps.details(rosa)
    expect(rosa.get_by_role("heading", level=1)).to_have_text("Check your camera and sound")
    look(rosa)
    rosa.get_by_role("button", name="Check camera and sound").click()
    expect(rosa.get_by_role("heading", level=1)).to_have_text("You look and sound fine")
    look(rosa)
    rosa.evaluate("() => (navigator.mediaDevices.getUserMedia = () => Promise.reject({name: 'NotAllowedError'}), 0)")
    rosa.get_by_role("button", name="Join with sound only").click()
    expect(rosa.get_by_role("heading", level=1)).to_have_text("Your microphone is blocked")
    look(rosa)
    rosa.get_by_role("button", name="Only listen").click()
    rosa.get_by_role("button", name="Go to the waiting room").click()
    expect(rosa.get_by_role("heading", level=1)).to_have_text("You are next")
    look(rosa)

    principal = staff(clinician)
    steps.behind(services.admit, principal=principal, visit=visit)
    expect(rosa.get_by_role("link", name="Join the visit")).to_be_visible()
    look(rosa)
    steps.behind(booking.miss, principal=principal, visit=visit)
    expect(rosa.get_by_role("button", name="Join the line again")).to_be_visible()
    look(rosa)
    rosa.get_by_role("button", name="Join the line again").click()
    steps.behind(booking.cancel, principal=principal, visit=visit)
    expect(rosa.get_by_role("heading", level=1)).to_have_text("This visit was cancelled")
    look(rosa)


@pytest.mark.parametrize("width", [320, 1440])
def test_today(person: Callable[..., Page], visit: Appointment, clinician: User, practitioner: Any, width: int) -> None:
    make_ready(visit)
    services.arrive(principal=bearer(make_link(visit)), visit=visit)
    waiting = factories.make_visit(practitioner, start=timezone.now() - timedelta(minutes=20))
    make_ready(waiting)
    services.arrive(principal=bearer(make_link(waiting)), visit=waiting)
    services.admit(principal=staff(clinician), visit=waiting)
    missed = factories.make_visit(practitioner, start=timezone.now() - timedelta(minutes=45))
    booking.miss(principal=staff(clinician), visit=missed)
    factories.make_visit(practitioner, start=timezone.now() - timedelta(minutes=70))
    doctor = person("doctor", viewport={"width": width, "height": 900})
    steps.carry_session(doctor, verify(Client(), clinician))
    doctor.goto("/today/")
    expect(doctor.get_by_role("button", name="Admit Rosa Marín")).to_be_visible()
    look(doctor)
    doctor.locator("#queue details.menu summary").click()
    look(doctor)
