"""Firefox in a visit: with Chromium, and with another Firefox, through the pages that people see."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.e2e import calls, media, steps
from tests.e2e.firefox import Firefox
from tests.e2e.test_visit import patient_link, visit  # noqa: F401
from visits.booking.models import Appointment
from visits.room.models import Seat

pytestmark = pytest.mark.e2e

OTHERS, PICTURE, SOUND = "#tiles .tile", "#tiles video", "#tiles audio"


def let_in(doctor: Any, patient: Any) -> None:
    """The clinician admits who is waiting, who goes in."""
    doctor.get_by_role("button", name="Admit Rosa Marín").click()
    patient.get_by_role("link", name="Join the visit").click()


def both_ways(fox: Firefox, other: Any) -> None:
    """Picture and sound arrive on both sides."""
    for page in (fox, other):
        calls.sees(page)
        calls.hears(page)


def test_a_patient_in_firefox(
    site: str,
    relay: Any,
    person: Callable[..., Page],
    firefox: Callable[..., Firefox],
    visit: Appointment,  # noqa: F811
    clinician: User,
) -> None:
    doctor, rosa = person("doctor", colour="red", tone=400), firefox("rosa", tone=1000)
    steps.sign_in(doctor, clinician)
    steps.check_in(rosa, patient_link(visit))
    let_in(doctor, rosa)

    both_ways(rosa, doctor)
    media.looks(rosa.locator(PICTURE), "red")
    media.sounds(doctor.locator(SOUND), 1000)

    rosa.get_by_role("button", name="Mute").click()
    expect(doctor.locator(OTHERS)).to_contain_text("muted")
    media.is_silent(doctor.locator(SOUND), 1000)
    rosa.get_by_role("button", name="Unmute").click()
    media.sounds(doctor.locator(SOUND), 1000)
    rosa.get_by_role("button", name="Camera off").click()
    expect(doctor.locator(f"{OTHERS} .tile-off")).to_be_visible()
    rosa.get_by_role("button", name="Camera on").click()
    expect(doctor.locator(f"{OTHERS} .tile-off")).to_be_hidden()
    both_ways(rosa, doctor)

    # The other way would need a display: a headless Firefox has no screen to show.
    doctor.get_by_role("button", name="Share", exact=True).click()
    rosa.locator("#screen").wait_for()
    assert rosa.locator("#screen video").evaluate(calls.HAS_PICTURE)
    doctor.get_by_role("button", name="Stop sharing").click()
    rosa.locator("#screen").wait_for(lambda screen: not screen.is_visible())

    for _ in range(3):
        rosa.reload()
        media.looks(rosa.locator(PICTURE), "red")
        both_ways(rosa, doctor)
    expect(doctor.locator(OTHERS)).to_have_count(1)
    assert Seat.objects.filter(role="patient").count() == 1

    doctor.get_by_role("button", name="Leave").click()
    doctor.get_by_role("button", name="End for all").click()
    expect(doctor).to_have_url(re.compile("/today/$"))
    rosa.get_by_role("heading", name="The visit has ended").wait_for()


def test_a_clinician_in_firefox(
    site: str,
    relay: Any,
    person: Callable[..., Page],
    firefox: Callable[..., Firefox],
    visit: Appointment,  # noqa: F811
    clinician: User,
) -> None:
    doctor, rosa = firefox("doctor", tone=400, asks=True), person("rosa", colour="blue", tone=1000)
    steps.sign_in(doctor, clinician)
    steps.check_in(rosa, patient_link(visit))
    let_in(doctor, rosa)

    # Until it may use camera and microphone, Firefox tells the page nothing of this machine's addresses.
    for _ in range(3):
        doctor.get_by_role("button", name="Join the visit").click()
        both_ways(doctor, rosa)
        media.looks(doctor.locator(PICTURE), "blue")
        doctor.reload()
    doctor.get_by_role("button", name="Join the visit").click()
    media.sounds(rosa.locator(SOUND), 400)
    rosa.reload()
    media.looks(doctor.locator(PICTURE), "blue")
    both_ways(doctor, rosa)


def test_firefox_with_firefox(
    site: str,
    relay: Any,
    firefox: Callable[..., Firefox],
    visit: Appointment,  # noqa: F811
    clinician: User,
) -> None:
    doctor, rosa = firefox("doctor", tone=400), firefox("rosa", tone=1000)
    steps.sign_in(doctor, clinician)
    steps.check_in(rosa, patient_link(visit))
    let_in(doctor, rosa)

    both_ways(doctor, rosa)
    rosa.reload()
    both_ways(doctor, rosa)
    assert doctor.locator(OTHERS).count() == 1
