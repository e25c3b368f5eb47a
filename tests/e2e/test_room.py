"""The room when things go wrong, and for everybody: reconnecting, no camera, a second device, keys, axe."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import AccessLink, User
from tests import factories
from tests.conftest import staff
from tests.e2e import media, steps
from tests.party import bearer, make_link
from tests.room.conftest import admit, patient_link, redeemed  # noqa: F401
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn
from visits.room import services
from visits.room.models import Encounter, Presence, Seat

pytestmark = pytest.mark.e2e

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
Person = Callable[..., Page]

# Without asking: whatever a test asks of a page counts as a press of its person.
TELL_OF_TAP = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#cover[data-shows=tap]")) return;
  observer.disconnect();
  console.info("wants a tap");
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


@pytest.fixture
def visit(visit: Appointment, clinician: User) -> Appointment:
    """Its patient has come and was let in."""
    admit(visit, clinician)
    CheckIn.objects.create(appointment=visit, location="48 Alder Street", callback_phone="(555) 010-0177")
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    return visit


@pytest.fixture
def doctor(person: Person, visit: Appointment, clinician: User, verified: Callable[[User], Client]) -> Page:
    page = person("doctor", colour="red", tone=400)
    steps.carry_session(page, verified(clinician))
    page.goto(f"/visits/{visit.pk}/")
    page.get_by_role("link", name="Open room").click()
    return page


@pytest.fixture
def rosa_session(redeemed: Callable[[AccessLink], Client], patient_link: AccessLink) -> Client:  # noqa: F811
    return redeemed(patient_link)


@pytest.fixture
def rosa(person: Person, visit: Appointment, rosa_session: Client) -> Page:
    page = person("rosa", colour="blue", tone=1000, **PHONE)
    steps.carry_session(page, rosa_session)
    page.goto(f"/my/{visit.pk}/waiting/")
    page.get_by_role("link", name="Join the visit").click()
    return page


@pytest.fixture
def ana(
    person: Person,
    visit: Appointment,
    redeemed: Callable[[AccessLink], Client],  # noqa: F811
) -> Callable[..., Page]:
    """``ana()``: a guest comes; ``ana(prepare)``: on a page that this has prepared."""

    def come(prepare: Callable[[Page], None] = lambda page: None) -> Page:
        page = person("ana", colour="yellow", tone=2000)
        prepare(page)
        steps.carry_session(page, redeemed(make_link(visit, guest="Ana Ruiz")))
        page.goto(f"/my/{visit.pk}/room/")
        return page

    return come


def others(page: Page) -> Any:
    return page.locator("#tiles .tile")


def picture(page: Page) -> Any:
    return page.locator("#tiles video")


# --- lines break ----------------------------------------------------------------------------------


def test_both_are_back_by_themselves_after_the_relay_died(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(doctor), "blue")
    before = Seat.objects.get(role="patient").epoch
    relay.restart()

    poll(rosa, lambda: Seat.objects.get(role="patient").epoch > before)
    expect(rosa.locator("#notice")).to_be_hidden()
    media.keeps_moving(picture(doctor))
    media.keeps_moving(picture(rosa))
    media.looks(picture(doctor), "blue")
    media.looks(picture(rosa), "red")
    expect(others(doctor)).to_have_count(1)
    assert Seat.objects.count() == 2


def test_a_lost_socket_does_not_touch_the_media(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(doctor), "blue")
    before = Seat.objects.get(role="patient")
    rosa.get_by_role("button", name="Mute").click()
    cut_socket(rosa)

    poll(rosa, lambda: Seat.objects.get(role="patient").turn > before.turn)
    assert Seat.objects.get(role="patient").epoch == before.epoch
    media.keeps_moving(picture(doctor))
    media.keeps_moving(picture(rosa))
    expect(others(doctor)).to_have_count(1)
    rosa.get_by_role("button", name="Unmute").click()
    expect(others(doctor)).not_to_have_class(re.compile("is-muted"))
    assert Presence.objects.filter(seat__role="patient").count() == 1


def test_a_closed_tab_leaves_no_ghost(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(doctor), "blue")
    rosa.close()

    expect(others(doctor)).to_have_count(0)
    expect(doctor.locator("#alone")).to_be_visible()


def test_leaving_by_mistake_is_mended_by_return(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(doctor), "blue")
    rosa.get_by_role("link", name="Leave").click()
    expect(others(doctor)).to_have_count(0)
    expect(rosa.get_by_role("link", name="Return")).to_be_visible()
    assert [one.left_why for one in Presence.objects.filter(seat__role="patient")] == ["left"]
    rosa.get_by_role("link", name="Return").click()

    media.looks(picture(doctor), "blue")
    expect(others(doctor)).to_have_count(1)


def test_a_second_device_takes_the_seat(
    relay: Any, person: Person, doctor: Page, rosa: Page, rosa_session: Client, visit: Appointment
) -> None:
    media.looks(picture(doctor), "blue")
    tablet = person("tablet", colour="yellow", tone=2000)
    steps.carry_session(tablet, rosa_session)
    tablet.goto(f"/my/{visit.pk}/room/")

    expect(rosa.get_by_role("heading", name="on another device")).to_be_visible()
    media.looks(picture(doctor), "yellow")
    expect(others(doctor)).to_have_count(1)
    rosa.get_by_role("button", name="Move it here").click()
    media.looks(picture(doctor), "blue")


def test_a_clinician_who_opens_another_visit_leaves_the_first(
    relay: Any, doctor: Page, rosa: Page, visit: Appointment, practitioner: Any, clinic: Any
) -> None:
    media.looks(picture(rosa), "red")
    other = factories.make_visit(practitioner, patient=factories.make_patient(clinic))
    second = doctor.context.new_page()
    second.goto(f"/visits/{other.pk}/room/")

    expect(doctor.get_by_role("heading", name="in another window")).to_be_visible()
    expect(rosa.locator("#alone")).to_be_visible()
    doctor.get_by_role("button", name="Move it here").click()
    media.looks(picture(rosa), "red")
    expect(second.get_by_role("heading", name="in another window")).to_be_visible()


def test_a_fifth_guest_waits_until_somebody_leaves(
    relay: Any,
    person: Person,
    doctor: Page,
    visit: Appointment,
    redeemed: Callable[[AccessLink], Client],  # noqa: F811
) -> None:
    seats = []
    for name in ("Ana", "Ben", "Cem", "Dov"):
        guest = bearer(make_link(visit, guest=name))
        seats.append(services.seat_for(guest, Encounter.objects.get(appointment=visit)))
        Presence.objects.create(seat=seats[-1], epoch=0, joined_at=timezone.now(), seen_at=timezone.now())
    eve = person("eve", colour="yellow", tone=2000)
    steps.carry_session(eve, redeemed(make_link(visit, guest="Eve")))
    eve.goto(f"/my/{visit.pk}/room/")

    expect(eve.get_by_role("heading", name="This visit is full")).to_be_visible()
    Presence.objects.filter(seat=seats[0]).update(left_at=timezone.now())
    media.looks(picture(eve).and_(eve.locator(":not([hidden])")), "red")
    expect(eve.get_by_role("heading", name="This visit is full")).to_be_hidden()


# --- without devices ------------------------------------------------------------------------------


def test_who_allows_nothing_still_sees_and_hears(
    relay: Any, person: Person, doctor: Page, rosa_session: Client, visit: Appointment
) -> None:
    rosa = person("rosa", ask=True, **PHONE)
    steps.carry_session(rosa, rosa_session)
    rosa.goto(f"/my/{visit.pk}/room/")
    expect(rosa.get_by_text("Choose Allow.")).to_be_visible()
    rosa.get_by_role("button", name="Join the visit").click()

    media.looks(picture(rosa), "red")
    media.sounds(rosa.locator("#tiles audio"), 400)
    expect(rosa.locator("#trouble")).to_contain_text("blocked")
    expect(others(doctor)).to_contain_text("Camera is off")


def test_a_browser_that_holds_sound_back_wants_one_tap(
    relay: Any, person: Person, doctor: Page, rosa_session: Client, visit: Appointment
) -> None:
    rosa = person("rosa", ask=True, **PHONE)
    steps.carry_session(rosa, rosa_session)
    rosa.add_init_script("navigator.permissions.query = async () => ({state: 'denied'})")
    rosa.add_init_script(TELL_OF_TAP)
    with rosa.expect_console_message(lambda message: message.text == "wants a tap"):
        rosa.goto(f"/my/{visit.pk}/room/")  # typed, so that nobody has pressed anything on our pages yet
    rosa.get_by_role("button", name="Tap to go on").click()

    expect(rosa.locator("#cover")).to_be_hidden()
    media.sounds(rosa.locator("#tiles audio"), 400)
    assert rosa.locator("#tiles audio").evaluate("(audio) => !audio.paused")


def test_the_camera_stays_off_after_a_reload(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(doctor), "blue")
    rosa.get_by_role("button", name="Camera off").click()
    rosa.get_by_role("button", name="Mute").click()
    expect(others(doctor)).to_contain_text("muted")
    rosa.reload()

    expect(rosa.get_by_role("button", name="Camera on")).to_be_visible()
    media.looks(picture(rosa), "red")
    expect(others(doctor)).to_have_count(1)
    expect(others(doctor)).to_contain_text("Camera is off")
    media.is_silent(doctor.locator("#tiles audio"), 1000)


def test_another_camera_can_be_chosen_and_the_picture_hidden(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(rosa), "red")
    doctor.get_by_role("button", name="More").click()
    dialog = doctor.get_by_role("dialog")
    for name in ("Camera", "Microphone", "Speaker"):
        expect(dialog.get_by_label(name, exact=True)).not_to_have_value("")
    dialog.get_by_label("Microphone", exact=True).select_option(index=1)
    dialog.get_by_role("button", name="Hide my picture").click()
    dialog.get_by_role("button", name="Close").click()

    expect(doctor.locator("#self")).to_be_hidden()
    media.sounds(rosa.locator("#tiles audio"), 400)


def test_a_screen_is_shared_and_taken_away(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(rosa), "red")
    doctor.get_by_role("button", name="Share", exact=True).click()

    expect(rosa.locator("#screen")).to_be_visible()
    media.keeps_moving(rosa.locator("#screen video"), more=2)
    media.looks(picture(rosa), "red")
    doctor.get_by_role("button", name="Stop sharing").click()
    expect(rosa.locator("#screen")).to_be_hidden()


# --- keys -----------------------------------------------------------------------------------------


def test_the_keyboard_runs_the_call(relay: Any, doctor: Page, rosa: Page) -> None:
    media.looks(picture(doctor), "blue")
    doctor.locator("body").click(position={"x": 300, "y": 300})
    doctor.keyboard.press("m")
    expect(doctor.get_by_role("button", name="Unmute")).to_be_visible()
    expect(doctor.locator("#hint")).to_have_text("You are muted. Press Unmute to be heard.")
    doctor.keyboard.down(" ")
    expect(doctor.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    doctor.keyboard.up(" ")
    expect(doctor.get_by_role("button", name="Unmute")).to_be_visible()
    doctor.keyboard.press("v")
    expect(doctor.get_by_role("button", name="Camera on")).to_be_visible()
    doctor.keyboard.press("?")
    expect(doctor.get_by_role("heading", name="Keys in the call")).to_be_visible()
    doctor.keyboard.press("Escape")
    expect(doctor.get_by_role("heading", name="Keys in the call")).to_be_hidden()
    expect(doctor).to_have_url(re.compile("/room/$"))

    doctor.get_by_role("button", name="Unmute").focus()
    doctor.keyboard.press("ArrowRight")
    expect(doctor.get_by_role("button", name="Camera on")).to_be_focused()


def test_letters_typed_into_a_field_are_letters(relay: Any, doctor: Page) -> None:
    doctor.get_by_role("button", name="Add person").click()
    doctor.get_by_label("Name").press_sequentially("mvf")

    expect(doctor.get_by_label("Name")).to_have_value("mvf")
    expect(doctor.get_by_role("button", name="Mute", exact=True, include_hidden=True)).to_have_count(1)


# --- for everybody --------------------------------------------------------------------------------


def test_axe_finds_nothing_serious(relay: Any, doctor: Page, rosa: Page, visit: Appointment, clinician: User) -> None:
    media.looks(picture(doctor), "blue")
    for page in (doctor, rosa):
        check_with_axe(page)
    for button in ("Add person", "More", "Leave"):
        doctor.get_by_role("button", name=button).click()
        check_with_axe(doctor)
        doctor.keyboard.press("Escape")
    rosa.get_by_role("button", name="More").click()
    check_with_axe(rosa)
    rosa.keyboard.press("Escape")
    rosa.get_by_role("link", name="Leave").click()
    expect(rosa.get_by_role("link", name="Return")).to_be_visible()
    check_with_axe(rosa)
    doctor.goto(f"/visits/{visit.pk}/")
    check_with_axe(doctor)
    steps.behind(services.end, principal=staff(clinician), visit=visit)
    rosa.reload()
    check_with_axe(rosa)


def test_the_pages_say_what_they_need_without_script(
    person: Person, visit: Appointment, rosa_session: Client, clinician: User, verified: Callable[[User], Client]
) -> None:
    rosa = person("rosa", java_script_enabled=False, **PHONE)
    steps.carry_session(rosa, rosa_session)
    rosa.goto(f"/my/{visit.pk}/room/")
    expect(rosa.get_by_text("turn on JavaScript")).to_be_visible()
    rosa.locator("#cover").get_by_role("link", name="Leave").click()
    expect(rosa.get_by_role("link", name="Return")).to_be_visible()

    doctor = person("doctor", java_script_enabled=False)
    steps.carry_session(doctor, verified(clinician))
    doctor.goto(f"/visits/{visit.pk}/")
    doctor.get_by_label("Name").fill("Ana Ruiz")
    doctor.get_by_role("button", name="Make a link").click()
    expect(doctor.get_by_label("Link for the guest")).to_have_value(re.compile("/v/"))
    doctor.get_by_role("button", name="Take back").click()
    expect(doctor.get_by_text("Taken back")).to_be_visible()


def check_with_axe(page: Page) -> None:
    found = [each for each in Axe().run(page).response["violations"] if each["impact"] in {"serious", "critical"}]
    assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def cut_socket(page: Page) -> None:
    """As a network does that forgets a connection."""
    page.evaluate("() => window.sockets.forEach((socket) => socket.close(4000))")


def poll(page: Page, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + media.PATIENCE
    while not true():
        assert time.monotonic() < deadline, "did not come true"
        page.wait_for_timeout(100)
