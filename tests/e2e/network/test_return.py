"""Visits that come back by themselves. Prints how long it took; asserts only that all of it came back."""

import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.e2e import calls
from tests.e2e.conftest import note
from tests.e2e.firefox import eventually
from tests.e2e.network.conftest import Call, Side
from tests.e2e.network.lab import Lab
from tests.e2e.network.measure import LONGEST, WATCH, Window
from visits.room.models import Encounter, Presence, Seat

pytestmark = pytest.mark.network

ASLEEP = float(os.environ.get("TELEHEALTH_TEST_ASLEEP", "20"))  # seconds; the relay gives a place up after 15
BROWSERS = pytest.mark.parametrize("patient_in", ["chromium", "firefox"])


def epochs() -> dict[str, int]:
    """How often each has joined."""
    return dict(Seat.objects.values_list("role", "epoch"))


def timed(call: Call, what: str, since: float) -> None:
    """Wait until all is well on both sides."""
    call.both_ways()
    note(f"{what}: all back after {time.monotonic() - since:.1f} s at most")


@BROWSERS
def test_an_address_that_changes_is_followed_without_joining_anew(call: Callable[..., Call], patient_in: str) -> None:
    visit = call(patient_in=patient_in)
    before, words = epochs(), visit.words(visit.rosa)
    for name, side in (("chromium", visit.doctor), (patient_in, visit.rosa)):
        windows = [Window(each.page) for each in visit.sides]
        side.line.tell("move")
        visit.both_ways()
        visit.doctor.page.wait_for_timeout(2000)
        for window in windows:
            window.close()
        gaps = " and ".join(f"{window.longest_gap:.2f}" for window in windows)
        note(f"{name} from another address: longest gap between two pictures {gaps} s")
    assert epochs() == before
    assert visit.words(visit.rosa) == words


@BROWSERS
def test_a_socket_that_is_gone_for_a_while_does_not_touch_the_call(call: Callable[..., Call], patient_in: str) -> None:
    visit = call(patient_in=patient_in)
    before, words = epochs(), visit.words(visit.rosa)
    windows = [Window(side.page) for side in visit.sides]
    visit.rosa.line.tell("cut")
    pictures = each_second(visit, 10)
    visit.doctor.page.get_by_role("button", name="Mute", exact=True).click()
    pictures += each_second(visit, 10)
    assert "muted" not in shown(visit.rosa)
    visit.rosa.line.tell("mend")
    began = time.monotonic()
    eventually(lambda: "muted" in shown(visit.rosa), "did not hear what happened meanwhile")
    note(f"socket mended: caught up after {time.monotonic() - began:.1f} s")
    pictures += each_second(visit, 3)
    for window in windows:
        window.close()
        note(window)
    note("pictures each second, doctor and patient:", pictures)
    note("tries:", visit.rosa.page.evaluate("() => window.tries"))
    visit.doctor.page.get_by_role("button", name="Unmute", exact=True).click()
    visit.both_ways()
    assert all(min(each) > 0 for each in pictures)
    assert epochs() == before
    assert visit.words(visit.rosa) == words
    assert Presence.objects.filter(left_at=None).count() == Presence.objects.count() == 2


def each_second(visit: Call, seconds: int) -> list[tuple[int, ...]]:
    """How many pictures each of the two got, second by second."""
    seen = [decoded(visit)]
    for _ in range(seconds):
        visit.doctor.page.wait_for_timeout(1000)
        seen.append(decoded(visit))
    return [tuple(b - a for a, b in zip(*pair, strict=True)) for pair in pairwise(seen)]


def decoded(visit: Call) -> list[int]:
    return [sum(each.get("framesDecoded") or 0 for each in calls.entries(side.page, "video")) for side in visit.sides]


def shown(side: Side) -> str:
    """What the other's tile says."""
    return str(side.page.evaluate("() => document.querySelector('#tiles .tile')?.textContent ?? ''"))


@BROWSERS
def test_a_page_that_is_opened_again(call: Callable[..., Call], patient_in: str) -> None:
    visit = call(patient_in=patient_in)
    before = epochs()
    began = time.monotonic()
    visit.rosa.page.reload()
    timed(visit, f"{patient_in} opened again", began)
    assert epochs() == {**before, "patient": before["patient"] + 1}


@BROWSERS
def test_a_device_that_slept(call: Callable[..., Call], patient_in: str) -> None:
    visit = call(patient_in=patient_in)
    visit.rosa.line.signal(signal.SIGSTOP)
    visit.doctor.page.wait_for_timeout(1000 * ASLEEP)
    visit.rosa.line.signal(signal.SIGCONT)
    timed(visit, f"{patient_in} slept for {ASLEEP:.0f} s", time.monotonic())


@BROWSERS
def test_a_relay_that_dies_with_another_there(call: Callable[..., Call], lab: Lab, patient_in: str) -> None:
    visit = call(patient_in=patient_in)
    lab.add_node()
    here = Encounter.objects.get().relay_node_id
    for side in visit.sides:
        side.page.locator("#tiles video").evaluate(WATCH)
    lab.nodes[0].kill()
    timed(visit, f"relay killed, {patient_in}", time.monotonic())
    gaps = [side.page.evaluate(LONGEST) for side in visit.sides]
    note(f"longest gap between two pictures {gaps[0]:.2f} and {gaps[1]:.2f} s")
    assert Encounter.objects.get().relay_node_id not in (None, here)
