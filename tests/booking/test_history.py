"""A short random history of twenty clients at once; ``python -m tests.booking.history`` makes a long one."""

import time

import pytest

from tests.booking.history.checking import check
from tests.booking.history.clients import LONGEST, run_clients
from tests.booking.history.world import make_world, nobody_listens

CLIENTS, OPERATIONS_EACH = 20, 20


@pytest.mark.django_db(transaction=True)
def test_nothing_overlaps_is_lost_or_forgotten(capsys):
    world = make_world(CLIENTS, practitioners=2, days=2)

    with nobody_listens():
        memory = run_clients(world, range(CLIENTS), OPERATIONS_EACH, seed=time.time_ns())
        time.sleep(LONGEST)
        assert check(world, memory) == []

    done = {end for end in memory.ends if end.endswith(": done")}
    assert done == {f"{verb}: done" for verb in ("book", "hold", "move", "cancel", "release")}
