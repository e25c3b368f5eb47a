"""Whether a time is what a patient asked for, and how long an offer of it may stand. Pure: instants in and out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

# Nobody is asked to change their day for less.
WORTH = timedelta(hours=1)
# Who accepts in the last moment can still come.
READY = timedelta(minutes=15)
# What is read later than this before the end of an offer cannot be weighed.
TO_ANSWER = timedelta(minutes=10)

NOON, EVENING = 12, 17


class Part(StrEnum):
    """A part of the day by the patient's clock, at which a visit begins."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"

    @classmethod
    def of(cls, local: datetime) -> "Part":
        if local.hour < NOON:
            return cls.MORNING
        return cls.AFTERNOON if local.hour < EVENING else cls.EVENING


@dataclass(frozen=True)
class Wish:
    """On which weekdays (Monday is 0), in which parts of the day and up to which day somebody would come instead.

    All by the clock of ``zone``, the patient's.
    """

    weekdays: Collection[int]
    parts: Collection[Part]
    last_day: date
    zone: ZoneInfo

    def fits(self, start: datetime, booked: datetime) -> bool:
        """Whether a visit at ``start`` is wanted instead of the one ``booked``."""
        local = start.astimezone(self.zone)
        return (
            start + WORTH <= booked
            and local.date() <= self.last_day
            and local.weekday() in self.weekdays
            and Part.of(local) in self.parts
        )


def deadline(start: datetime, *, now: datetime, readable_at: datetime, lasts: timedelta) -> datetime | None:
    """Until when a time at ``start`` is kept for somebody who can read of it at ``readable_at``.

    ``lasts`` from now on, but so that who accepts can still be there. None when that leaves no time to answer.
    """
    until = min(now + lasts, start - READY)
    return until if until - max(now, readable_at) >= min(TO_ANSWER, lasts) else None
