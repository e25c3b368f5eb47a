"""What the flight recorder would have written of a visit that is over."""

import random
from datetime import timedelta

from visits.room.models import LineMinute, Seat

MINUTE = timedelta(minutes=1)
# Of a minute: shares lost and milliseconds until an answer; most are good.
LOSSES = [0.0] * 12 + [0.001, 0.002, 0.004, 0.008, 0.012, 0.04, 0.06, 0.13]
TRIPS = [28, 34, 41, 48, 55, 63, 80, 110, 160, 340]


def minutes_of(seat: Seat, chance: random.Random) -> list[LineMinute]:
    """Unsaved: a row for each minute from the beginning of the encounter to its end."""
    begun, ended = seat.encounter.started_at, seat.encounter.ended_at or seat.encounter.started_at
    first = begun.replace(second=0, microsecond=0)
    return [
        LineMinute(seat=seat, minute=first + number * MINUTE, seconds=60, relay=_line(chance))
        for number in range((ended - begun) // MINUTE)
    ]


def _line(chance: random.Random) -> dict[str, list[float]]:
    loss, trip = chance.choice(LOSSES), float(chance.choice(TRIPS))
    return {
        "up": [400_000, 900_000, 1_200_000],
        "down": [400_000, 900_000, 1_200_000],
        "loss_up": [0.0, loss, round(2 * loss, 4)],
        "loss_down": [0.0, round(loss / 2, 4), loss],
        "round_trip": [trip - 5, trip, trip + 20],
    }
