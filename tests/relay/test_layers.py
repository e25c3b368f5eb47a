"""A receiver's line shared out among its pictures."""

import itertools
import random

import pytest

from visits.relay.layers import FULL, LOW, PAUSED, Layer, Wish, next_budget, nominal_height, share_out, step, total

CAMERA = (Layer(150_000, 180), Layer(500_000, 360), Layer(1_500_000, 720))
SCREEN = (Layer(400_000, 360), Layer(2_500_000, 720))


def chances(count: int):
    chance = random.Random(3)
    for _ in range(count):
        wishes = []
        for _ in range(chance.randint(1, 6)):
            is_screen = not wishes and chance.random() < 0.3
            layers = SCREEN if is_screen else CAMERA[: chance.randint(1, 3)]
            wishes.append(Wish(layers, chance.choice([0, 90, 200, 400, 720, 1440]), is_screen, is_screen))
        yield wishes, chance.choice([0, 50_000, 200_000, 700_000, 2_000_000, 5_000_000, 20_000_000])


def test_what_is_shared_out_fits_the_line_and_nobody_gets_more_than_the_page_shows():
    for wishes, budget in chances(500):
        chosen = share_out(budget, wishes)
        assert total(wishes, chosen) <= budget
        for wish, index in zip(wishes, chosen, strict=True):
            assert index is None or (wish.wanted is not None and index <= wish.wanted)


def test_more_line_is_never_less_for_all_together():
    for wishes, budget in chances(300):
        assert total(wishes, share_out(budget * 2, wishes)) >= total(wishes, share_out(budget, wishes))


def test_with_line_enough_everybody_has_what_the_page_shows():
    for wishes, _ in chances(300):
        chosen = share_out(1e9, wishes)
        assert chosen == [wish.wanted for wish in wishes]
        assert next_budget(wishes, chosen) is None
        assert {step(wish, index) for wish, index in zip(wishes, chosen, strict=True)} == {FULL}


def test_the_next_budget_is_enough_for_one_step_and_one_bit_less_is_not():
    for wishes, budget in chances(300):
        chosen = share_out(budget, wishes)
        more = next_budget(wishes, chosen)
        if more is not None and len({wish.is_screen for wish in wishes}) == 1:
            assert total(wishes, share_out(more, wishes)) > total(wishes, chosen)


def test_climbing_by_next_budgets_ends_where_everybody_has_what_they_want():
    for wishes, _ in chances(200):
        budget = 0
        for _ in range(30):
            chosen = share_out(budget, wishes)
            more = next_budget(wishes, chosen)
            if more is None:
                break
            assert more > budget or total(wishes, chosen) < budget
            budget = max(more, budget + 1)
        assert share_out(budget, wishes) == [wish.wanted for wish in wishes]


@pytest.mark.parametrize(
    ("height", "wanted"), [(0, None), (90, 0), (180, 0), (225, 0), (226, 1), (450, 1), (451, 2), (2000, 2)]
)
def test_a_tile_gets_the_layer_of_its_size(height, wanted):
    assert Wish(CAMERA, height).wanted == wanted


def test_of_a_visit_of_two_only_the_whole_picture_is_good_enough():
    assert Wish(CAMERA, 90, whole=True).wanted == 2
    assert Wish(CAMERA, 0, whole=True).wanted is None


def test_every_camera_has_its_smallest_picture_before_one_has_more_but_the_screen_comes_first():
    cameras = [Wish(CAMERA, 720), Wish(CAMERA, 720), Wish(CAMERA, 90)]
    assert share_out(450_000, cameras) == [0, 0, 0]
    assert share_out(799_999, cameras) == [0, 0, 0]
    assert share_out(800_000, cameras) == [1, 0, 0]
    assert share_out(1_150_000, cameras) == [1, 1, 0]
    screen = Wish(SCREEN, 720, is_screen=True, whole=True)
    assert share_out(600_000, [*cameras, screen]) == [0, None, None, 0]
    assert share_out(2_950_000, [*cameras, screen]) == [0, 0, 0, 1]


def test_the_largest_shown_loses_its_picture_last():
    small, large = Wish(CAMERA, 200), Wish(CAMERA, 720)
    for order in itertools.permutations([small, large]):
        chosen = share_out(160_000, order)
        assert chosen[order.index(large)] == 0
        assert chosen[order.index(small)] is None
        assert step(small, None) == PAUSED
        assert step(large, 0) == LOW


def test_a_hidden_picture_gets_nothing_and_that_is_no_step_down():
    hidden = Wish(CAMERA, 0)
    assert share_out(1e9, [hidden]) == [None]
    assert step(hidden, None) == FULL


def test_heights_double_from_layer_to_layer():
    assert [nominal_height(i, 3) for i in range(3)] == [180, 360, 720]
    assert nominal_height(0, 1) == 720
