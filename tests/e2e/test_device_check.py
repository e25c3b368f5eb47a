"""Camera and sound check with Chromium's fake camera and microphone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests import factories
from tests.e2e import media, steps
from tests.party import browser, make_link
from tests.waiting.conftest import make_ready
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn

pytestmark = pytest.mark.e2e

SPY = """
window.asked = 0;
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) => { window.asked += 1; return real(wanted); };
"""
LACKS = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wanted) =>
  wanted.%s ? Promise.reject(new DOMException("", "%s")) : real(wanted);
"""


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    start = timezone.now() + timedelta(minutes=5)
    visit = factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)
    make_ready(visit)
    return visit


@pytest.fixture
def check(person: Callable[..., Page], visit: Appointment) -> Callable[..., Page]:
    """``check(script=…, **options)``: the patient's browser on the device check."""

    def open_check(script: str = SPY, **options: Any) -> Page:
        page = person("rosa", **options)
        steps.carry_session(page, browser(make_link(visit)))
        page.add_init_script(script)
        page.goto(f"/my/{visit.pk}/devices/")
        return page

    return open_check


def press_check(page: Page) -> None:
    page.get_by_role("button", name="Check camera and sound").click()


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def test_nothing_starts_before_the_button(check):
    page = check()
    expect(page.get_by_text("Your browser will ask to use your camera and microphone. Choose Allow.")).to_be_visible()

    assert page.evaluate("() => window.asked") == 0
    expect(page.locator("#preview")).to_be_hidden()


def test_picture_plays_and_meter_moves(check):
    page = check(colour="blue", tone=600)
    press_check(page)

    heading(page, "You look and sound fine")
    video = page.locator("#picture")
    page.wait_for_function("() => document.querySelector('#picture').currentTime > 0.2")
    red, _, blue = video.evaluate(media.COLOUR_OF)
    assert blue > 200
    assert red < 60
    assert video.evaluate("(video) => getComputedStyle(video).scale") == "-1 1"
    page.wait_for_function("() => Number(document.querySelector('#meter').getAttribute('aria-valuenow')) > 3")
    expect(page.get_by_role("meter", name="Microphone level")).to_be_visible()
    expect(page.get_by_text("Camera works")).to_be_visible()
    expect(page.get_by_text("We can hear you")).to_be_visible()


def test_an_impatient_person_leaves_no_camera_on(check):
    page = check()
    page.evaluate("""() => {
      window.streams = [];
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (what) => {
        const stream = await ask(what);
        window.streams.push(stream);
        return stream;
      };
      const button = document.querySelector("[data-act=ask]");
      for (let press = 0; press < 3; press += 1) button.click();
    }""")
    heading(page, "You look and sound fine")
    page.wait_for_function("() => window.streams.length === 3")

    live = "() => window.streams.flatMap((s) => s.getVideoTracks()).filter((t) => t.readyState === 'live').length"
    page.wait_for_function(f"() => ({live})() === 1")


def test_a_camera_that_is_pulled_out_is_noticed(check):
    page = check()
    press_check(page)
    heading(page, "You look and sound fine")
    page.evaluate("""() => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (what) =>
        what.video ? Promise.reject(new DOMException("", "NotFoundError")) : ask(what);
      const [track] = document.querySelector("#picture").srcObject.getVideoTracks();
      track.dispatchEvent(new Event("ended"));
    }""")

    heading(page, "We found no camera")
    expect(page.get_by_role("button", name="Join with sound only")).to_be_visible()


def test_staff_learn_how_it_went_while_the_page_is_open(check, visit):
    page = check()
    press_check(page)
    heading(page, "You look and sound fine")
    page.wait_for_timeout(300)

    found = CheckIn.objects.get(appointment=visit)
    assert (found.camera, found.microphone) == ("ok", "ok")
    page.get_by_role("button", name="Go to the waiting room").click()
    heading(page, "You are next")


def test_the_speaker_is_judged_by_the_person(check):
    page = check()
    press_check(page)
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="I did not").click()
    expect(
        page.get_by_text("Turn the sound up, take the headset off or plug it in, and play it again.")
    ).to_be_visible()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="I heard it").click()

    expect(page.locator("#probe-speaker")).to_contain_text("You can hear us")


def test_a_denied_permission_is_explained_and_sound_only_stays_possible(check, visit):
    page = check(ask=True)
    page.context.grant_permissions([])  # whatever is not granted is denied
    press_check(page)

    heading(page, "Your camera is blocked")
    expect(page.get_by_role("heading", name="In Chrome or Edge, on a computer")).to_be_visible()
    expect(page.get_by_text("Select the icon left of the address.")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_role("button", name="Join with sound only")).to_be_visible()
    page.get_by_role("button", name="Only listen").click()
    heading(page, "Only listen")
    page.get_by_role("button", name="Go to the waiting room").click()
    heading(page, "You are next")
    found = CheckIn.objects.get(appointment=visit)
    assert (found.camera, found.microphone) == ("off", "off")


def test_a_denied_permission_given_after_all_works_by_try_again(check):
    page = check(ask=True)
    page.context.grant_permissions([])
    press_check(page)
    heading(page, "Your camera is blocked")

    page.context.grant_permissions(["camera", "microphone"])
    page.get_by_role("button", name="Try again").click()
    heading(page, "You look and sound fine")


@pytest.mark.parametrize(
    ("lacks", "error", "words", "camera", "microphone"),
    [
        ("video", "NotFoundError", "We found no camera", "missing", "ok"),
        ("audio", "NotFoundError", "We found no microphone", "ok", "missing"),
        ("video", "NotReadableError", "Another app is using your camera", "busy", "ok"),
        ("audio", "NotReadableError", "Another app is using your microphone", "ok", "busy"),
    ],
)
def test_what_is_missing_or_busy_is_said_and_the_other_still_works(
    check, visit, lacks, error, words, camera, microphone
):
    page = check(LACKS % (lacks, error))
    press_check(page)

    heading(page, words)
    page.wait_for_timeout(300)
    found = CheckIn.objects.get(appointment=visit)
    assert (found.camera, found.microphone) == (camera, microphone)
    onward = "Join with sound only" if lacks == "video" else "Only listen"
    expect(page.get_by_role("button", name=onward)).to_be_visible()


def test_sound_only_by_choice_is_remembered_for_the_visit(check):
    page = check()
    page.get_by_role("button", name="Join with sound only").click()

    heading(page, "Sound only")
    expect(page.locator("#preview")).to_be_hidden()
    assert page.evaluate("() => JSON.parse(localStorage['telehealth.devices']).video") is False
    page.get_by_role("button", name="Use my camera and microphone").click()
    heading(page, "You look and sound fine")
    assert page.evaluate("() => JSON.parse(localStorage['telehealth.devices']).video") is True


def test_a_browser_that_cannot_call_is_told_so_and_can_go_on(check):
    page = check("delete window.RTCPeerConnection;")

    heading(page, "This browser cannot make video calls")
    expect(page.get_by_text("Open the link in a newer one, or call us at (555) 010-0142.")).to_be_visible()


def test_another_apps_browser_is_told_so(check):
    page = check("delete window.RTCPeerConnection;", user_agent="Mozilla/5.0 (iPhone) AppleWebKit FBAN/FBIOS")

    heading(page, "Open the link in Safari or Chrome")


def test_without_script_the_check_can_be_skipped(check):
    page = check(java_script_enabled=False)
    page.get_by_role("button", name="Skip this check").click()

    heading(page, "You are next")
