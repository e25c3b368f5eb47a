"""Calls that are encrypted end to end, in real browsers, through a real relay: that they work, and what a tap finds."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import Clinic
from telehealth.embedded import stop
from tests.e2e import calls, decoding, media, tap
from tests.e2e.conftest import Relay
from tests.e2e.firefox import Firefox
from tests.e2e.test_room import ana, cut_socket, doctor, others, picture, rosa, rosa_session, visit  # noqa: F401
from tests.room.conftest import patient_link, redeemed  # noqa: F401
from visits.booking.models import Appointment
from visits.room import farewell
from visits.room.models import Seat

pytestmark = pytest.mark.e2e

# Keeps what the session says of its security.
KEEP_SECURITY = """
window.securities = [];
const dispatch = EventTarget.prototype.dispatchEvent;
EventTarget.prototype.dispatchEvent = function (event) {
  if (event.type === "security") window.securities.push(event.detail);
  return dispatch.call(this, event);
};
"""


@pytest.fixture
def person(person: Callable[..., Page]) -> Callable[..., Page]:
    def open_browser(name: str, **options: Any) -> Page:
        page = person(name, **options)
        page.add_init_script(KEEP_SECURITY)
        return page

    return open_browser


def security(page: Any) -> dict[str, Any]:
    """What the page knows of it now."""
    said: dict[str, Any] = page.evaluate("() => window.securities?.at(-1) ?? {}")
    return said


def is_on(*pages: Any) -> list[str]:
    """Wait until all are on with the same words, and return these."""
    for _ in range(600):
        states = [security(page) for page in pages]
        words = states[0].get("words")
        if words and all((state.get("mode"), state.get("words")) == ("on", words) for state in states):
            return list(words)
        pages[0].wait_for_timeout(50)
    raise AssertionError(states)


# --- calls ----------------------------------------------------------------------------------------


def test_picture_sound_and_screen_pass_encrypted(relay: Any, doctor: Page, rosa: Page) -> None:  # noqa: F811
    media.looks(picture(doctor), "blue")
    media.looks(picture(rosa), "red")
    media.sounds(doctor.locator("#tiles audio"), 1000)
    media.sounds(rosa.locator("#tiles audio"), 400)
    words = is_on(doctor, rosa)
    assert len(words) == len(set(words)) or len(words) == 4
    for page in (doctor, rosa):
        assert page.locator("#security").get_attribute("data-mode") == "on"

    doctor.get_by_role("button", name="Share", exact=True).click()
    expect(rosa.locator("#screen")).to_be_visible()
    media.keeps_moving(rosa.locator("#screen video"), more=2)
    assert is_on(doctor, rosa) == words


def test_a_reload_brings_other_words_and_says_why(relay: Any, doctor: Page, rosa: Page) -> None:  # noqa: F811
    media.looks(picture(doctor), "blue")
    before = is_on(doctor, rosa)
    rosa.reload()

    media.looks(picture(rosa), "red")
    media.keeps_moving(picture(doctor))
    after = is_on(doctor, rosa)
    assert before != after
    assert security(doctor)["reason"] == "new-key"
    assert security(rosa)["reason"] == ""


def test_a_lost_socket_and_a_dead_relay_leave_the_words(relay: Any, doctor: Page, rosa: Page) -> None:  # noqa: F811
    media.looks(picture(doctor), "blue")
    words = is_on(doctor, rosa)
    cut_socket(rosa)
    media.keeps_moving(picture(doctor))
    assert is_on(doctor, rosa) == words

    before = Seat.objects.get(role="patient").epoch
    relay.restart()
    for _ in range(600):
        if Seat.objects.get(role="patient").epoch > before:
            break
        rosa.wait_for_timeout(50)
    media.keeps_moving(picture(doctor))
    media.keeps_moving(picture(rosa))
    media.looks(picture(doctor), "blue")
    assert is_on(doctor, rosa) == words


def test_who_comes_later_is_one_of_them(
    relay: Any,
    doctor: Page,  # noqa: F811
    rosa: Page,  # noqa: F811
    ana: Callable[..., Page],  # noqa: F811
) -> None:
    media.looks(picture(doctor), "blue")
    before = is_on(doctor, rosa)
    guest = ana()

    expect(others(guest)).to_have_count(2)
    three = is_on(doctor, rosa, guest)
    assert three != before
    assert security(doctor)["reason"] == "joined"
    for page in (doctor, rosa, guest):
        for video in page.locator("#tiles video").all():
            media.keeps_moving(video)

    guest.close()
    expect(others(doctor)).to_have_count(1)
    assert is_on(doctor, rosa) == before, "the same pages, the same words"
    media.keeps_moving(picture(doctor))


# No socket comes about while `window.isCutOff`.
HOLD_SOCKETS = """
const Open = window.WebSocket;
window.WebSocket = class extends Open {
  constructor(url, ...rest) { super(window.isCutOff ? "/nowhere" : url, ...rest); }
};
"""

COUNT = "video.getVideoPlaybackQuality().totalVideoFrames"
SEEN = f"[...document.querySelectorAll('#tiles video')].map((video) => {COUNT} > 10)"
SEES_SOMEBODY = f"() => {SEEN}.some(Boolean)"
SEES_ALL = f"() => {SEEN}.length === 2 && {SEEN}.every(Boolean)"

# By then a key that somebody without a socket cannot follow would be in use (agreement.js: a detour, and five seconds).
IN_USE = 15_000


def test_somebody_comes_while_another_is_without_a_socket(
    relay: Any,
    doctor: Page,  # noqa: F811
    rosa: Page,  # noqa: F811
    ana: Callable[..., Page],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is cut off goes on seeing the others, and the newcomer and these others do not wait for them."""
    monkeypatch.setattr(farewell, "BACK_WITHIN", 600)  # or she is let go while a slow machine opens a browser
    rosa.evaluate(f"() => {{ {HOLD_SOCKETS} }}")
    media.looks(picture(doctor), "blue")
    media.looks(picture(rosa), "red")
    before = is_on(doctor, rosa)
    rosa.evaluate("() => { window.isCutOff = true; }")
    cut_socket(rosa)
    guest = ana()

    expect(others(guest)).to_have_count(2)
    # The doctor's; that of who has no socket cannot be opened before she can say by what key.
    # They find each other by detours, each of which takes seconds.
    guest.wait_for_function(SEES_SOMEBODY, timeout=2000 * media.PATIENCE)
    doctor.wait_for_function(SEES_ALL, timeout=2000 * media.PATIENCE)
    rosa.wait_for_timeout(IN_USE)
    media.keeps_moving(picture(rosa))
    media.looks(picture(rosa), "red")
    rosa.evaluate("() => { window.isCutOff = false; }")
    assert is_on(doctor, rosa, guest) != before
    for page in (doctor, rosa, guest):
        for video in page.locator("#tiles video").all():
            media.keeps_moving(video)


def test_firefox_and_chromium_have_the_same_words(
    relay: Any,
    person: Callable[..., Page],
    firefox: Callable[..., Firefox],
    doctor: Page,  # noqa: F811
    rosa_session: Client,  # noqa: F811
    visit: Appointment,  # noqa: F811
) -> None:
    rosa = firefox("rosa", tone=1000)  # noqa: F811
    rosa.add_init_script(KEEP_SECURITY)
    rosa.goto("/signin/")
    cookie = rosa_session.cookies[settings.SESSION_COOKIE_NAME]
    rosa.driver.add_cookie({"name": cookie.key, "value": cookie.value, "path": "/"})
    rosa.goto(f"/my/{visit.pk}/room/")

    media.looks(rosa.locator("#tiles video"), "red")
    for page in (rosa, doctor):
        calls.sees(page)
        calls.hears(page)
    words = is_on(doctor, rosa)
    doctor.get_by_role("button", name="Share", exact=True).click()
    rosa.locator("#screen").wait_for()
    assert rosa.locator("#screen video").evaluate(calls.HAS_PICTURE)
    assert is_on(doctor, rosa) == words


# --- the tap --------------------------------------------------------------------------------------


@pytest.fixture
def tapped(relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In place of the relay one that writes down all it could read; where it does."""
    stop(relay.process)
    path = tmp_path / "tap"
    monkeypatch.setenv("TAP", str(path))
    relay.start(sys.executable, "-m", "tests.e2e.tap")
    yield path
    stop(relay.process)
    relay.start()


def listen(path: Path, page: Page) -> decoding.Heap:
    """What went through the relay's hands in some seconds of a call."""
    for _ in range(120):
        heap = decoding.sort(tap.packets(path)) if path.exists() else decoding.Heap()
        if len(heap.audio) > 400 and len(heap.video) > 200:
            return heap
        page.wait_for_timeout(500)
    raise AssertionError((len(heap.audio), len(heap.video)))


def decoded(heap: decoding.Heap) -> tuple[int, int, float]:
    """Frames, pictures of blue or red among them, and the share of the sound that is one of the tones."""
    frames = pictures = 0
    for stream in decoding.picture_frames(heap.video):
        frames += len(stream)
        pictures += max(decoding.pictures(stream, "blue"), decoding.pictures(stream, "red"))
    by_sender: dict[bytes, list[bytes]] = {}
    for packet in heap.audio:
        by_sender.setdefault(packet[8:12], []).append(packet)
    tones = [
        decoding.sounds(decoding.sound_frames(packets), tone) for packets in by_sender.values() for tone in (400, 1000)
    ]
    return frames, pictures, max(tones)


def test_nothing_can_be_decoded_at_the_relay(tapped: Path, doctor: Page, rosa: Page) -> None:  # noqa: F811
    """Row 26 of the checklist: what the relay holds and sends can be decoded as nothing."""
    media.looks(picture(doctor), "blue")
    media.sounds(doctor.locator("#tiles audio"), 1000)
    is_on(doctor, rosa)
    heap = listen(tapped, doctor)

    # Not one frame passed in the clear: each names one of the few keys of these two pages.
    sealed = decoding.bodies(heap)
    assert len(sealed) > 400
    keys = Counter(decoding.key_id(body) for body in sealed)
    assert len(keys) <= 8, keys
    assert min(keys) >= 1 << 24, keys
    frames, pictures, tone = decoded(heap)
    assert frames > 50
    assert pictures == 0
    assert tone == 0


def test_the_same_tap_decodes_a_call_that_is_not_encrypted(
    site: str,
    tapped: Path,
    visit: Appointment,  # noqa: F811
    request: pytest.FixtureRequest,
) -> None:
    """The control: the decoders work, and the tap has all they need."""
    visit.encounter.encryption = Clinic.Encryption.OFF
    visit.encounter.save(update_fields=["encryption"])
    doctor, rosa = request.getfixturevalue("doctor"), request.getfixturevalue("rosa")  # noqa: F811
    media.looks(picture(doctor), "blue")
    media.looks(picture(rosa), "red")
    assert security(doctor)["mode"] == "off"
    heap = listen(tapped, doctor)

    frames, pictures, tone = decoded(heap)
    assert frames > 50
    assert pictures > 0.9 * frames
    assert tone > 0.3
    assert len({decoding.key_id(body) for body in decoding.bodies(heap)}) > 8
