"""How long somebody may wait: numbers only."""

from hypothesis import given
from hypothesis import strategies as st

from visits.waiting.line import Running, pace, wait

minutes = st.floats(5, 120)


def test_with_one_ahead_the_usual_pace_is_told():
    assert wait(ahead=[20], running=[], until_start=0, ratios=[]) == (12, 25)


def test_past_visits_set_the_pace():
    assert pace([1.0] * 10) == (1.0, 1.0)
    assert wait(ahead=[20], running=[], until_start=0, ratios=[1.0] * 10) == (20, 20)


def test_a_running_visit_counts_what_is_left_of_it():
    assert wait(ahead=[], running=[Running(20, 10)], until_start=-5, ratios=[1.0] * 10) == (10, 10)


def test_a_visit_that_takes_longer_than_usual_gives_no_estimate():
    assert wait(ahead=[], running=[Running(20, 26)], until_start=-5, ratios=[]) is None


def test_a_free_clinician_who_has_not_called_gives_no_estimate():
    assert wait(ahead=[], running=[], until_start=0, ratios=[]) is None


def test_who_is_early_and_next_may_be_called_until_their_time():
    assert wait(ahead=[], running=[], until_start=12.2, ratios=[]) == (0, 13)


def test_nobody_is_told_hours():
    assert wait(ahead=[60] * 4, running=[], until_start=0, ratios=[]) is None


@given(
    st.lists(minutes, max_size=4),
    st.lists(st.builds(Running, minutes, st.floats(0, 200)), max_size=2),
    st.floats(-60, 60),
    st.lists(st.floats(0.1, 4), max_size=20),
)
def test_least_is_never_more_than_most(ahead, running, until_start, ratios):
    found = wait(ahead=ahead, running=running, until_start=until_start, ratios=ratios)

    assert found is None or 0 <= found[0] <= found[1] <= 120
