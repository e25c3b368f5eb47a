"""Sound and picture in step, and a line that grows narrow for a while."""

import os
from collections.abc import Callable

import pytest

from tests.e2e import calls, media
from tests.e2e.conftest import note
from tests.e2e.network.conftest import QUIET, Call
from tests.e2e.network.measure import ahead

pytestmark = pytest.mark.network

NARROW = 300  # kbit/s
NARROW_FOR = float(os.environ.get("TELEHEALTH_TEST_NARROW", "20"))  # seconds


def test_a_wide_line_carries_720p_at_30(call: Callable[..., Call], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WIDTH", 1280), ("HEIGHT", 720), ("FRAMES_PER_SECOND", 30)):
        monkeypatch.setattr(media, name, value)
    visit = call()
    windows = visit.watch(10)
    for side, window in zip(visit.sides, windows, strict=True):
        height = max(each["frameHeight"] for each in calls.entries(side.page, "video"))
        rate = window.video["framesDecoded"] / 10
        note(f"wide: {height} pixels high, {rate:.0f} pictures a second, {window}")
        assert height >= (720 if QUIET else 180)
        assert rate > (25 if QUIET else 5)


def test_lips_and_words_are_in_step(call: Callable[..., Call]) -> None:
    visit = call()
    for loss in (0, 5):
        for side in visit.sides:
            side.line.lose(up=loss, down=loss)
        visit.doctor.page.wait_for_timeout(6000)
        apart = [ahead(side.page) for side in visit.sides]
        note(f"{loss} % lost each way: sound ahead of the picture by {apart[0]:+.3f} and {apart[1]:+.3f} s")
        assert all(abs(each) < 0.08 for each in apart) or not QUIET


def test_a_line_that_grows_narrow_takes_the_picture_down_and_brings_it_back(call: Callable[..., Call]) -> None:
    visit = call()
    before = visit.watch(5)[0]
    visit.rosa.line.squeeze(NARROW)
    visit.watch(NARROW_FOR / 2)  # until it has found its step
    narrow = visit.watch(NARROW_FOR / 2)
    visit.rosa.line.squeeze(0)
    rates = [8 * before.video["bytesReceived"] / 5, *(16 * each.video["bytesReceived"] / NARROW_FOR for each in narrow)]
    note(f"wide: {before}")
    for name, window in zip(("her picture at the doctor's", "his at hers"), narrow, strict=True):
        note(f"{NARROW} kbit/s, {name}: {window}")
    assert max(rates[1:]) < NARROW * 1000
    assert all(window.video["framesDecoded"] > 3 * NARROW_FOR / 2 for window in narrow)  # they move, and do not stand
    assert all(window.concealed < 0.05 for window in narrow)

    came_back = [visit.watch(5) for _ in range(6)]
    note(
        "bits a second afterwards:", [[round(8 * w.video["bytesReceived"] / 5000) for w in both] for both in came_back]
    )
    assert max(8 * both[0].video["bytesReceived"] / 5 for both in came_back) > 1.5 * NARROW * 1000
    visit.both_ways()
