"""Three pages with cameras in three sizes: each gets what it shows, and a narrow line is its own page's trouble."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import calls, media
from tests.e2e.test_room import ana, doctor, rosa, rosa_session, visit  # noqa: F401
from tests.narrow import Line, LineThread
from tests.room.conftest import patient_link, redeemed  # noqa: F401

pytestmark = pytest.mark.e2e

LARGE, SMALL = {"width": 1440, "height": 900}, {"width": 420, "height": 320}
CAMERA = "1"  # its mid; the screen has layers of the same names
PATIENCE = 60  # seconds; three browsers encode three pictures each

# Sends the page's packets over another port, which a test can make narrow.
OVER_A_LINE = """
const take = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = async function (answer) {
  const [, there, port] = /^a=candidate:.* (\\S+ (\\d+)) typ host/m.exec(answer.sdp);
  const here = `127.0.0.1 ${await window.lineTo(Number(port))}`;
  return take.call(this, {type: answer.type, sdp: answer.sdp.replaceAll(` ${there} typ host`, ` ${here} typ host`)});
};
"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "visibilityState", {value: hidden ? "hidden" : "visible", configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(autouse=True)
def cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    """720p, of which three sizes are made, and few frames of it, so that a busy machine can encode them all."""
    monkeypatch.setattr(media, "_write_camera", write_camera)


def write_camera(path: Path, rgb: tuple[int, int, int], **_: bool) -> None:
    """As the other tests' cameras, larger and slower."""
    r, g, b = rgb
    y, width, height = round(16 + 0.257 * r + 0.504 * g + 0.098 * b), 1280, 720
    chroma = [round(128 - 0.148 * r - 0.291 * g + 0.439 * b), round(128 + 0.439 * r - 0.368 * g - 0.071 * b)]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F6:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(12):
            luma = bytearray([y]) * (width * height)
            luma[frame * 40 * width : (frame * 40 + 8) * width] = bytes([min(235, y + 60)]) * (8 * width)
            file.write(b"FRAME\n" + bytes(luma) + b"".join(bytes([each]) * (width * height // 4) for each in chroma))


@pytest.fixture
def lines() -> Iterator[LineThread]:
    thread = LineThread()
    yield thread
    thread.close()


def picture(page: Page, name: str) -> Any:
    return page.locator("#tiles .tile").filter(has_text=name).locator("video")


def is_small(height: int) -> bool:
    """The smallest layer."""
    return 0 < height <= 180


def is_large(height: int) -> bool:
    """One of the larger ones: the largest, if the machine can encode it."""
    return height >= 360


def shows(page: Page, name: str, true: Callable[[int], bool], within: float = PATIENCE) -> None:
    """Wait until the picture's own height is one for which ``true`` holds."""
    height, deadline = 0, time.monotonic() + within
    while time.monotonic() < deadline:
        height = picture(page, name).evaluate("(video) => video.videoHeight")
        if true(height):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{name} is shown {height} pixels high")


def steps_down(page: Page, name: str) -> None:
    """Wait until the smallest layer is shown, or none."""
    tile, deadline = page.locator("#tiles .tile").filter(has_text=name), time.monotonic() + PATIENCE
    while not is_small(tile.locator("video").evaluate("(video) => video.videoHeight")):
        if "is-paused" in (tile.get_attribute("class") or ""):
            expect(tile).to_contain_text("paused to keep the sound")
            return
        assert time.monotonic() < deadline, "goes on as if the line were wide"
        page.wait_for_timeout(100)


def sent(page: Page) -> dict[str, float]:
    """Bytes that the page's camera has sent so far, by layer."""
    streams = calls.entries(page, "video", type="outbound-rtp")
    return {each["rid"]: each["bytesSent"] for each in streams if each["mid"] == CAMERA}


def sends(page: Page, true: Callable[[set[str]], bool], within: float = PATIENCE) -> None:
    """Wait until the page's camera sends layers for which ``true`` holds."""
    growing: set[str] = set()
    before, deadline = sent(page), time.monotonic() + within
    while time.monotonic() < deadline:
        page.wait_for_timeout(1500)
        now = sent(page)
        growing = {rid for rid in now if now[rid] > before.get(rid, 0)}
        if true(growing):
            return
        before = now
    raise AssertionError(f"sends {growing}: {calls.entries(page, 'video', type='outbound-rtp')}")


def only_the_whole(layers: set[str]) -> bool:
    """What is sent to one."""
    return layers == {"f"}


def several(layers: set[str]) -> bool:
    """What is sent to more; whether the largest is among them is the line's and the machine's business."""
    return {"q", "h"} <= layers


def test_each_page_gets_what_it_shows(
    relay: Any,
    doctor: Page,  # noqa: F811
    rosa: Page,  # noqa: F811
    ana: Callable[..., Page],  # noqa: F811
) -> None:
    media.looks(picture(doctor, "Rosa"), "blue")
    sends(rosa, only_the_whole)
    guest = ana()
    media.looks(picture(guest, "Rosa"), "blue")
    media.looks(picture(guest, "Amara"), "red")
    media.looks(picture(doctor, "Ana"), "yellow")
    sends(rosa, several)

    shows(doctor, "Rosa", is_large)
    doctor.set_viewport_size(SMALL)
    shows(doctor, "Rosa", is_small)
    media.looks(picture(doctor, "Rosa"), "blue")
    shows(guest, "Rosa", is_large)
    doctor.set_viewport_size(LARGE)
    shows(doctor, "Rosa", is_large)

    doctor.evaluate(HIDE, True)
    before = media.frames(picture(doctor, "Rosa"))
    deadline = time.monotonic() + PATIENCE
    while (now := media.frames(picture(doctor, "Rosa"))) != before:
        assert time.monotonic() < deadline, "still comes"
        before = now
        doctor.wait_for_timeout(1000)
    media.keeps_moving(picture(guest, "Rosa"))
    calls.hears(doctor)
    doctor.evaluate(HIDE, False)
    media.keeps_moving(picture(doctor, "Rosa"))

    guest.get_by_role("link", name="Leave").click()
    expect(doctor.locator("#tiles .tile")).to_have_count(1)
    shows(doctor, "Rosa", is_large)
    sends(rosa, only_the_whole)
    media.keeps_moving(picture(doctor, "Rosa"))


def test_a_narrow_line_is_its_own_pages_trouble(
    relay: Any,
    lines: LineThread,
    doctor: Page,  # noqa: F811
    rosa: Page,  # noqa: F811
    ana: Callable[..., Page],  # noqa: F811
) -> None:
    narrow: list[Line] = []

    def line_to(port: int) -> int:
        narrow.append(lines.line((relay.address, port)))
        return narrow[-1].port

    def behind_it(page: Page) -> None:
        page.expose_function("lineTo", line_to)
        page.add_init_script(OVER_A_LINE)

    guest = ana(behind_it)
    for page in (doctor, guest):
        shows(page, "Rosa", is_large)

    narrow[-1].down.rate = 150_000
    steps_down(guest, "Rosa")
    calls.hears(guest)
    # The others have not noticed anything.
    shows(doctor, "Rosa", is_large)
    sends(rosa, several)
    media.keeps_moving(picture(doctor, "Rosa"))

    narrow[-1].down.rate = None
    shows(guest, "Rosa", is_large, within=3 * PATIENCE)
    media.looks(picture(guest, "Rosa"), "blue")
