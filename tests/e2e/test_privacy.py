"""What people see of end-to-end encryption: the badge, the words, and who decides when a browser cannot."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import AccessLink, User
from tests.conftest import staff
from tests.e2e import media, steps
from tests.e2e.test_room import PHONE, check_with_axe, others, picture
from tests.room.conftest import admit, patient_link, redeemed  # noqa: F401
from visits.booking.models import Appointment
from visits.room import services
from visits.room.models import Encounter

pytestmark = pytest.mark.e2e

Person = Callable[..., Page]
Join = Callable[..., Page]

CANNOT_ENCRYPT = "delete globalThis.RTCRtpScriptTransform"


@pytest.fixture
def begun(visit: Appointment, clinician: User) -> Appointment:
    """The patient has come and was let in."""
    admit(visit, clinician)
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    return visit


@pytest.fixture
def doctor_joins(person: Person, begun: Appointment, clinician: User, verified: Callable[[User], Client]) -> Join:
    def join(**context: Any) -> Page:
        page = person("doctor", colour="red", tone=400, **context)
        steps.carry_session(page, verified(clinician))
        page.goto(f"/visits/{begun.pk}/room/")
        return page

    return join


@pytest.fixture
def rosa_joins(
    person: Person,
    begun: Appointment,
    redeemed: Callable[[AccessLink], Client],  # noqa: F811
    patient_link: AccessLink,  # noqa: F811
) -> Join:
    def join(*, able: bool = True, **context: Any) -> Page:
        page = person("rosa", colour="blue", tone=1000, **PHONE, **context)
        if not able:
            page.add_init_script(CANNOT_ENCRYPT)
        steps.carry_session(page, redeemed(patient_link))
        page.goto(f"/my/{begun.pk}/room/")
        return page

    return join


def badge(page: Page) -> Any:
    return page.locator("#security")


def look_at(page: Page, name: str) -> None:
    """Into the folder that the environment names, for who wants to see what it looks like."""
    if folder := os.environ.get("TELEHEALTH_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_both_see_the_same_words(relay: Any, doctor_joins: Join, rosa_joins: Join) -> None:
    doctor = doctor_joins()
    expect(badge(doctor)).to_have_text("Ready to encrypt")
    look_at(doctor, "alone")
    rosa = rosa_joins()

    for page in (doctor, rosa):
        expect(badge(page)).to_have_text("Encrypted end to end")
    media.looks(picture(doctor), "blue")
    media.looks(picture(rosa), "red")
    words = []
    for name, page in (("doctor", doctor), ("rosa", rosa)):
        look_at(page, f"{name}-encrypted")
        badge(page).click()
        expect(page.locator("#security-words li")).to_have_count(4)
        expect(page.locator("#security-plain")).to_contain_text("If you both see the same words, nobody can listen in")
        words.append(page.locator("#security-words li").all_inner_texts())
        fits(page)
        look_at(page, f"{name}-words")
        check_with_axe(page)
    assert words[0] == words[1]
    doctor.get_by_role("button", name="They differ").click()
    expect(doctor.get_by_text("go on by phone")).to_be_visible()
    look_at(doctor, "words-differ")
    doctor.get_by_role("button", name="They match").click()
    expect(doctor.locator("#security-dialog")).to_be_hidden()
    rosa.keyboard.press("Escape")
    expect(badge(rosa)).to_be_focused()


def test_new_words_say_why(relay: Any, doctor_joins: Join, rosa_joins: Join) -> None:
    doctor, rosa = doctor_joins(), rosa_joins()
    for page in (doctor, rosa):
        expect(badge(page)).to_have_text("Encrypted end to end")
    rosa.reload()

    expect(doctor.locator("#security-why")).to_have_text("The words are new because somebody opened the page again.")


def test_the_clinician_decides_when_a_browser_cannot(relay: Any, doctor_joins: Join, rosa_joins: Join) -> None:
    doctor, rosa = doctor_joins(), rosa_joins(able=False)

    expect(rosa.get_by_role("heading", name="One moment")).to_be_visible()
    question = doctor.get_by_role("dialog", name="Rosa Marín cannot join encrypted")
    expect(question).to_be_visible()
    expect(question.get_by_role("button", name="Keep it encrypted")).to_be_focused()
    for name, page in (("doctor-asked", doctor), ("rosa-waits", rosa)):
        look_at(page, name)
        fits(page)
        check_with_axe(page)
    question.get_by_role("button", name="Keep it encrypted").click()
    expect(others(doctor)).to_have_count(0)
    expect(doctor.locator("#unable-text")).to_have_text("Waits outside, cannot encrypt: Rosa Marín")
    look_at(doctor, "doctor-keeps-it")
    doctor.get_by_role("button", name="Decide").click()
    question.get_by_role("button", name="Go on without").click()

    media.looks(picture(doctor), "blue")
    media.looks(picture(rosa), "red")
    for name, page in (("doctor-off", doctor), ("rosa-off", rosa)):
        expect(badge(page)).to_have_text("Not encrypted end to end")
        badge(page).click()
        expect(page.locator("#security-plain")).to_contain_text("Dr. Amara Okafor decided to go on without")
        look_at(page, name)
    assert Encounter.objects.get().unencrypted_by is not None


def test_where_it_is_required_the_page_says_which_browsers_can(
    relay: Any, doctor_joins: Join, rosa_joins: Join, begun: Appointment
) -> None:
    Encounter.objects.update(encryption="required")
    doctor, rosa = doctor_joins(), rosa_joins(able=False)

    expect(rosa.get_by_role("heading", name="This visit needs another browser")).to_be_visible()
    expect(rosa.locator("#cover")).to_contain_text("Firefox 117")
    expect(doctor.locator("#unable-text")).to_contain_text("Rosa Marín")
    expect(doctor.get_by_role("button", name="Decide")).to_be_hidden()
    look_at(doctor, "doctor-required")
    look_at(rosa, "rosa-required")
    check_with_axe(rosa)
    rosa.set_viewport_size({"width": 320, "height": 640})
    fits(rosa)
    look_at(rosa, "rosa-required-320")
    rosa.locator("#cover").get_by_role("link", name="Leave").click()
    expect(doctor.locator("#unable")).to_be_hidden()


def test_a_visit_without_it_says_so_all_the_time(
    relay: Any, doctor_joins: Join, rosa_joins: Join, begun: Appointment
) -> None:
    Encounter.objects.update(encryption="off")
    doctor, rosa = doctor_joins(color_scheme="dark"), rosa_joins(able=False)

    media.looks(picture(doctor), "blue")
    for page in (doctor, rosa):
        expect(badge(page)).to_have_text("Not encrypted end to end")
    badge(doctor).click()
    expect(doctor.locator("#security-plain")).to_contain_text("The clinic does without")
    look_at(doctor, "doctor-policy-off-dark")
    check_with_axe(doctor)


def test_it_is_told_once_to_who_listens(relay: Any, doctor_joins: Join, rosa_joins: Join) -> None:
    doctor = doctor_joins()
    doctor.evaluate("""() => {
      window.said = [];
      new MutationObserver(() => window.said.push(document.querySelector("#status").textContent))
        .observe(document.querySelector("#status"), {childList: true, characterData: true, subtree: true});
    }""")
    rosa_joins()
    expect(badge(doctor)).to_have_text("Encrypted end to end")
    expect(doctor.locator("#status")).to_have_text("Encrypted end to end")
    doctor.wait_for_timeout(3000)

    assert doctor.evaluate("window.said").count("Encrypted end to end") == 1


def test_on_a_small_phone_in_spanish(relay: Any, doctor_joins: Join, rosa_joins: Join, patient: Any) -> None:
    patient.language = "es"
    patient.save()
    doctor = doctor_joins()
    rosa = rosa_joins()
    rosa.set_viewport_size({"width": 320, "height": 640})

    expect(badge(rosa)).to_have_text("Cifrada de extremo a extremo")
    badge(rosa).click()
    fits(rosa)
    look_at(rosa, "rosa-words-320-es")
    badge(doctor).click()
    expect(doctor.locator("#security-words li span").first).to_be_visible()
    look_at(doctor, "doctor-two-languages")
