"""How large a page shows the others, told to the relay; and what the line does to a picture, told to the page."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.headless import eventually
from tests.room.sockets import Page
from visits.relay import rtcp
from visits.room.models import Encounter

pytestmark = pytest.mark.django_db(transaction=True)

Pages = Callable[[], Page]


async def met(one: Page, two: Page) -> str:
    """Both in the call; the seat that `one` sees in its first slot."""
    await one.join()
    await two.join()
    slots = await one.until("slots", lambda message: message["slots"])
    await eventually(lambda: one.person.seen(0))
    return str(slots["slots"]["0"])


async def test_a_hidden_picture_stops_and_comes_back(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as staff, patient_page() as patient:
        await met(staff, patient)
        await staff.send("sizes", heights={"0": 0})
        seen = staff.person.seen(0)
        await eventually(lambda: time.monotonic() - seen[-1].at > 0.5)
        sounds = len(staff.person.seen(0, "audio"))
        await eventually(lambda: len(staff.person.seen(0, "audio")) > sounds)

        await staff.send("sizes", heights={"0": 700, "5": 700})
        before = len(seen)
        await eventually(lambda: len(seen) > before)


async def test_both_sides_hear_what_a_line_does_to_a_picture(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as staff, patient_page() as patient:
        seat = await met(staff, patient)
        patient.person.camera.size = 1200
        await asyncio.sleep(1.5)
        for rate in (900_000, 60_000, 50_000):
            staff.person.send_rtcp(rtcp.remb(rate, []))
            await asyncio.sleep(1.1)

        assert (await staff.until("slots", lambda message: message["steps"]))["steps"] == {"0": "low"}
        watched = (await patient.until("slots", lambda message: message["watched"]))["watched"]
        assert list(watched.values()) == ["low"]
        assert seat not in watched
        # Whoever asks anew is told anew.
        await patient.send("resync")
        assert (await patient.until("state", lambda message: message["watched"]))["watched"] == watched


@pytest.mark.parametrize(
    "heights",
    [None, [], 5, {"6": 1}, {"x": 1}, {"0": -1}, {"0": 10_001}, {"0": True}, {"0": "1"}, {"0": 1.5}, {"00": 1}],
)
async def test_sizes_that_make_no_sense_are_refused(encounter: Encounter, staff_page: Pages, heights: Any) -> None:
    async with staff_page() as page:
        await page.send("sizes", heights=heights)
        assert (await page.until("error"))["code"] == "bad-field"


async def test_first_comes_joining(encounter: Encounter, staff_page: Pages) -> None:
    async with staff_page() as page:
        await page.send("sizes", heights={"0": 1})
        assert (await page.until("error"))["code"] == "not-joined"
