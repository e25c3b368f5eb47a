"""Lines that lose packets, both ways: what is repaired, and what is heard and seen of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import calls
from tests.e2e.conftest import note
from tests.e2e.network.conftest import QUIET, Call
from tests.e2e.network.measure import LISTEN, likeness, loudness

pytestmark = pytest.mark.network

SETTLED = 6  # seconds until all have heard of the loss
SECONDS = 12
BROWSERS = pytest.mark.parametrize("patient_in", ["chromium", "firefox"])


def lose(call: Call, percent: int) -> float:
    """Drop so many percent on each of the four ways; what share of the packets does not get through at first."""
    for side in call.sides:
        side.line.lose(up=percent, down=percent)
    call.doctor.page.wait_for_timeout(1000 * SETTLED)
    return 1 - (1 - percent / 100) ** 2


@BROWSERS
def test_five_percent_are_hardly_noticed(call: Callable[..., Call], patient_in: str) -> None:
    visit = call(patient_in=patient_in)
    lost = lose(visit, 5)
    windows = visit.watch(SECONDS)
    for name, window in zip(("Chromium", patient_in), windows, strict=True):
        note(f"5 % each way, {name}: {window}")
    for window in windows:
        assert window.longest_gap < 0.5 or not QUIET
        assert window.concealed < lost / 3


def test_speech_stays_understandable_at_twenty_percent(call: Callable[..., Call], tmp_path: Path) -> None:
    visit = call()
    lost = lose(visit, 20)
    for side in visit.sides:
        side.page.locator("#tiles audio").evaluate(LISTEN)
    windows = visit.watch(SECONDS)
    for side, speaker, window in zip(visit.sides, ("rosa", "doctor"), windows, strict=True):
        step, heard = side.page.evaluate("() => [window.loudness.step, window.loudness.values]")
        spoken = loudness(tmp_path / f"{speaker}.wav", step)
        alike, by_chance = likeness(heard, spoken, step), likeness(heard, spoken[::-1], step)
        note(f"20 % each way: likeness {alike:.2f} (to the same backwards {by_chance:.2f}), {window}")
        assert window.concealed < lost / 3
        assert alike > 0.7 > by_chance + 0.1
    visit.both_ways()
    assert calls.entries(visit.doctor.page, "audio")
