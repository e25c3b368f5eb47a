"""How long somebody may wait. Pure: numbers in, a range of minutes or None out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

ENOUGH_TO_TELL = 5
# Without a past to go by: visits end well before their time about as often as a quarter over it.
USUAL = (0.6, 1.25)
FURTHEST_MINUTES = 120


@dataclass(frozen=True)
class Running:
    """A visit that goes on: its booked length and how long it has lasted, in minutes."""

    booked: float
    elapsed: float


def pace(ratios: Sequence[float]) -> tuple[float, float]:
    """The middle half of how long a clinician's past visits took, each as a share of its booked length."""
    if len(ratios) < ENOUGH_TO_TELL:
        return USUAL
    low, _, high = quantiles(ratios, n=4)
    return low, high


def wait(
    *,
    ahead: Sequence[float],
    running: Sequence[Running],
    until_start: float,
    ratios: Sequence[float],
    late: float = 0,
) -> tuple[int, int] | None:
    """The least and the most minutes until a patient is called in; None when nobody can say.

    ``ahead`` are the booked lengths of who is before them in line, ``running`` the clinician's
    visits that go on, ``until_start`` the minutes to their own booked time (negative when past), ``late`` by how many
    minutes more the clinician says that it will begin.
    """
    low, high = pace(ratios)
    least = most = 0.0
    for visit in running:
        if visit.elapsed >= visit.booked * high:
            return None  # longer than usual: its end can no longer be told from the past
        least += max(0.0, visit.booked * low - visit.elapsed)
        most += visit.booked * high - visit.elapsed
    for booked in ahead:
        least += booked * low
        most += booked * high
    if not running and not ahead and until_start + late <= 0:
        return None  # the clinician is free and has not called: there is nothing to count from
    if late:
        least = max(least, until_start + late)
    most = max(most, until_start + late)
    if most > FURTHEST_MINUTES:
        return None
    return round(least), max(1, math.ceil(most))
