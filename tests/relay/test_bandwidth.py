"""What a receiver's line can take, found out by what it reports."""

import random
from itertools import pairwise

import pytest

from visits.relay import bandwidth
from visits.relay.bandwidth import FIRST, LONGEST_PAUSE, LOSS_FLOOR, LOSS_SPAN, PAUSE, REPAIRS, Line, Losses, Meter

STEPS = [150_000, 500_000, 1_500_000]


class Bottleneck:
    """A receiver behind a line of `capacity`, that estimates as browsers do."""

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        self.estimate = 300_000.0

    def answer(self, sent: float) -> int:
        """The estimate a second later."""
        if sent > self.capacity:
            self.estimate = min(self.estimate, 0.85 * self.capacity)
        else:
            self.estimate = max(self.estimate, min(1.08 * self.estimate, 1.5 * sent + 10_000))
        return int(self.estimate)


def live(capacity, seconds: int, line: Line | None = None) -> tuple[Line, list[int]]:
    """A camera in three layers over a line for so long; which one was shown in each second."""
    line = line or Line()
    receiver, shown = Bottleneck(0), []
    for second in range(seconds):
        receiver.capacity = capacity(second)
        index = max((i for i, rate in enumerate(STEPS) if rate <= line.limit), default=-1)
        if index < 2 and line.may_rise(second):
            line.rise(STEPS[index + 1], second)
            index += 1
        shown.append(index)
        sent = line.used = STEPS[index] if index >= 0 else 0
        line.least = STEPS[0]
        line.estimated(receiver.answer(sent), sent, second)
        line.lost(max(0.0, 1 - receiver.capacity / sent) if sent else 0.0, sent, second)
    return line, shown


def switches(shown: list[int]) -> int:
    return sum(a != b for a, b in pairwise(shown))


def test_a_good_line_shows_the_best_layer_from_the_first_second_on():
    assert live(lambda _: 10e6, 60)[1] == [2] * 60


@pytest.mark.parametrize(("capacity", "best"), [(1_000_000, 1), (700_000, 1), (300_000, 0)])
def test_a_narrow_line_finds_its_layer_and_does_not_flap(capacity, best):
    _, shown = live(lambda _: capacity, 300)
    assert shown.count(best) > 240
    assert switches(shown[100:]) <= 2 * (200 / bandwidth.LONGEST_PAUSE) + 2


def test_a_squeezed_line_steps_down_within_seconds_and_comes_back():
    _, shown = live(lambda second: 10e6 if not 20 <= second < 80 else 300_000, 160)
    assert set(shown[:20]) == {2}
    assert max(shown[22:28]) == 0
    assert shown[20:80].count(0) > 50
    assert set(shown[150:]) == {2}


def test_an_estimate_that_only_follows_a_quiet_camera_is_no_trouble():
    line = Line()
    for second in range(60):
        line.estimated(int(1.5 * 80_000) + second % 3, 80_000, second)
    assert line.limit == FIRST


def busy(rate: float = 1_000_000) -> Line:
    """A line over which so much goes."""
    line = Line()
    line.used, line.least = rate, 150_000
    line.estimated(int(1.2 * rate), rate, -20.0)
    return line


def test_an_estimate_that_lags_behind_is_no_trouble_but_in_a_trial():
    line = busy()
    for second in range(1, 10):
        line.estimated(400_000 + second, 1_500_000, second)
    assert line.limit < FIRST  # it fell from 1.2 Mbit/s, once
    line = Line()
    line.used, line.least = 1_500_000, 150_000
    line.estimated(400_000, 200_000, -10)
    for second in range(10):
        line.estimated(400_000, 1_500_000, second)
    assert line.limit == FIRST
    line.rise(FIRST, 10.0)
    for second in range(10, 14):
        line.estimated(400_000, 1_500_000, second)
    assert line.limit < 1_500_000
    assert not line.may_rise(14)


def test_trouble_while_hardly_anything_is_sent_costs_one_step_only():
    line = busy()
    line.estimated(90_000, 60_000, 10.0)
    line.estimated(40_000, 60_000, 11.0)
    assert line.limit == 700_000


def test_the_last_picture_goes_only_when_the_trouble_does_not_end():
    line = busy(150_000)
    line.estimated(60_000, 140_000, 10.0)
    assert line.limit == 150_000
    line.estimated(50_000, 140_000, 12.0)
    assert line.limit == 150_000
    line.estimated(40_000, 140_000, 14.0)
    assert line.limit < 150_000


def test_loss_counts_when_it_lasts_and_never_silences_a_camera():
    line = busy()
    line.lost(0.2, 1_000_000, 0.0)
    assert line.limit == FIRST
    line.lost(0.2, 1_000_000, 1.0)
    assert line.limit == 900_000
    for second in range(2, 60):
        line.used = line.limit
        line.lost(0.5, line.limit, second)
    assert line.limit == pytest.approx(LOSS_FLOOR)


def test_a_queue_that_overflows_is_heeded_at_once_and_by_what_came_through():
    line = busy()
    line.lost(0.7, 1_000_000, 0.0)
    assert line.limit == pytest.approx(300_000)


def test_reports_of_a_few_packets_are_taken_together():
    losses = Losses()
    losses.note(1, 0.0)
    losses.read(0.0)
    losses.note(2, 1.0)
    assert losses.read(LOSS_SPAN / 2) is None
    losses.note(18, 0.0)
    assert losses.read(LOSS_SPAN) == pytest.approx(0.1)
    assert losses.read(2 * LOSS_SPAN) is None  # nobody has said anything


def test_repairs_take_a_share_of_the_line_and_no_more():
    line, octets = Line(), 1000
    sent = sum(line.affords_repair(octets, 1_000_000, hundredth / 100) for hundredth in range(1000))
    assert 8 * octets * sent / 10 == pytest.approx(REPAIRS * 1_000_000, rel=0.1)
    line.limit = 200_000
    sent = sum(line.affords_repair(octets, 1_000_000, 10 + hundredth / 100) for hundredth in range(1000))
    assert 8 * octets * sent / 10 == pytest.approx(REPAIRS * 200_000, rel=0.1)


def test_a_little_loss_is_radio():
    line = Line()
    for second in range(60):
        line.lost(0.08, 1_000_000, second)
    assert line.limit == FIRST


def test_pauses_grow_with_each_failed_trial_and_are_short_again_after_a_good_one():
    line, now, pauses = busy(), 0.0, []
    for _ in range(5):
        line.rise(1_000_000, now)
        line.estimated(800_000, 0, now)
        line.estimated(500_000, 1_000_000, now + 2)
        begins = now + 2
        line.estimated(900_000, 100_000, begins)
        now = next(begins + k / 10 for k in range(1000) if line.may_rise(begins + k / 10))
        pauses.append(round(now - begins))
    assert pauses == [2 * PAUSE, *[LONGEST_PAUSE] * 4]
    line.rise(1_000_000, now)
    line.estimated(800_000, 0, now)
    line.estimated(500_000, 1_000_000, now + 100)
    line.estimated(600_000, 100_000, now + 101)
    assert line.may_rise(now + 100 + PAUSE)


def test_random_reports_never_raise_a_limit():
    chance, line = random.Random(5), Line()
    for second in range(2000):
        before = line.limit
        line.used, line.least = min(before, chance.random() * 2e6), chance.random() * 2e5
        if chance.random() < 0.5:
            line.estimated(chance.randrange(1 << 40), chance.random() * 5e6, second / 10)
        else:
            line.lost(chance.random(), chance.random() * 5e6, second / 10)
        assert 0 <= line.limit <= before


def test_a_fitting_publisher_follows_a_growing_estimate():
    line = busy()
    line.estimated(300_000, 1_000_000, 1.0)
    assert line.limit == 300_000
    line.estimated(600_000, 290_000, 3.0)
    line.follow(3.0)
    assert line.limit == 600_000


def test_reports_of_one_trouble_are_not_counted_twice():
    line = busy()
    line.estimated(800_000, 1_000_000, 10.0)
    line.used = line.limit  # the choice is made anew, but what was on its way is reported still
    line.estimated(700_000, 1_000_000, 10.2)
    assert line.limit == 700_000


def test_who_tells_an_estimate_is_asked_for_it_while_it_is_fresh():
    line = busy()
    assert not line.is_estimated(1.0)
    line.estimated(800_000, 1_000_000, 1.0)
    assert line.is_estimated(2.0)
    assert not line.is_estimated(1.0 + bandwidth.SILENT)


def test_a_meter_reads_rates():
    meter = Meter()
    assert meter.read(1000, 0.0) == 0
    assert meter.read(2000, 0.2) == 0
    assert meter.read(126_000, 1.0) == 1_000_000
    assert meter.read(100, 2.0) == 0
