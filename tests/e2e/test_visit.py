"""A visit from end to end: the link, the waiting room, the call, the record."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.links import services as links
from accounts.models import AccessLink, User
from tests import factories
from tests.e2e import media, steps
from visits.booking.models import Appointment
from visits.room.models import Seat

pytestmark = pytest.mark.e2e

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    """In five minutes."""
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=5)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


def patient_link(visit: Appointment) -> str:
    return links.issue(
        kind=AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        patient=visit.patient,
        resource_id=visit.pk,
        expires_at=visit.end + timedelta(hours=12),
    )[1]


def others(page: Page) -> Any:
    return page.locator("#tiles .tile")


def test_a_whole_visit(site: str, relay: Any, person: Callable[..., Page], visit: Appointment, clinician: User) -> None:
    doctor = person("doctor", colour="red", tone=400)
    rosa = person("rosa", colour="blue", tone=1000, **PHONE)
    steps.sign_in(doctor, clinician)

    steps.check_in(rosa, patient_link(visit))
    doctor.get_by_role("button", name="Admit Rosa Marín").click()
    expect(rosa.get_by_role("link", name="Join the visit")).to_be_visible()
    rosa.get_by_role("link", name="Join the visit").click()

    # Each sees and hears the other, not oneself.
    media.looks(doctor.locator("#tiles video"), "blue")
    media.looks(rosa.locator("#tiles video"), "red")
    media.sounds(doctor.locator("#tiles audio"), 1000)
    media.sounds(rosa.locator("#tiles audio"), 400)
    media.keeps_moving(doctor.locator("#tiles video"))
    expect(doctor.locator("#tiles .tile-name")).to_contain_text("Rosa Marín")

    # Mute, and camera off.
    rosa.get_by_role("button", name="Mute").click()
    expect(others(doctor)).to_contain_text("muted")
    media.is_silent(doctor.locator("#tiles audio"), 1000)
    rosa.get_by_role("button", name="Unmute").click()
    media.sounds(doctor.locator("#tiles audio"), 1000)
    rosa.get_by_role("button", name="Camera off").click()
    expect(others(doctor).locator(".tile-off")).to_be_visible()
    expect(others(doctor)).to_contain_text("RM")
    rosa.get_by_role("button", name="Camera on").click()
    media.looks(doctor.locator("#tiles video"), "blue")

    # A reload comes back to the same seat, without a ghost.
    rosa.reload()
    media.looks(rosa.locator("#tiles video"), "red")
    media.looks(doctor.locator("#tiles video"), "blue")
    expect(others(doctor)).to_have_count(1)
    expect(others(rosa)).to_have_count(1)
    assert Seat.objects.filter(role="patient").count() == 1

    # A third person by a link.
    doctor.get_by_role("button", name="Add person").click()
    dialog = doctor.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Ana Ruiz")
    dialog.get_by_role("button", name="Make a link").click()
    guest_link = dialog.get_by_label("Link for the guest").input_value()
    dialog.get_by_role("button", name="Close").click()
    ana = person("ana", colour="yellow", tone=2000)
    ana.goto(guest_link)
    ana.get_by_role("button", name="Continue").click()
    go_on_to_the_call(ana)
    expect(others(doctor)).to_have_count(2)
    expect(others(ana)).to_have_count(2)
    media.looks(tile_of(doctor, "Ana Ruiz").locator("video"), "yellow")
    media.looks(tile_of(ana, "Rosa").locator("video"), "blue")
    media.looks(tile_of(ana, "Dr. Amara Okafor").locator("video"), "red")
    media.sounds(tile_of(rosa, "Ana Ruiz").locator("audio"), 2000)

    # The end, for all.
    doctor.get_by_role("button", name="Leave").click()
    doctor.get_by_role("button", name="End for all").click()
    expect(doctor).to_have_url(re.compile("/today/$"))
    expect(doctor.get_by_text("has ended")).to_be_visible()
    for page in (rosa, ana):
        expect(page.get_by_role("heading", name="The visit has ended")).to_be_visible()

    # The record has who was there from when to when.
    doctor.goto(f"/visits/{visit.pk}/")
    table = doctor.get_by_role("table")
    for name in ("Dr. Amara Okafor", "Rosa Marín", "Ana Ruiz"):
        expect(table).to_contain_text(name)
    expect(doctor.get_by_text("Here now")).to_have_count(0)


def tile_of(page: Page, name: str) -> Any:
    return others(page).filter(has_text=name)


def go_on_to_the_call(page: Page) -> None:
    """A guest has a camera check too, which may be skipped."""
    page.wait_for_url(re.compile("/(devices|waiting|details)/"))
    if "devices" in page.url:
        page.get_by_role("button", name="Check camera and sound").click()
        page.get_by_role("button", name="Go to the waiting room").click()
    page.get_by_role("link", name="Join the visit").click()
