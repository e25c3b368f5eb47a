"""The day strip and the slot grid of the booking page, in words of the clinic's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from visits.schedule.moment import Moment
from visits.schedule.slots import Slot, Times
from visits.schedule.wall_clock import YEARS

STRIP = 7
NOON, EVENING = 12, 17
VALUE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Clock:
    """Puts instants into words: the clinic's zone, the reader's language."""

    zone: str
    language: str

    def at(self, instant: datetime) -> Moment:
        return Moment(instant, self.zone, self.language)

    def day(self, day: date) -> Moment:
        """The day, by its noon."""
        return self.at(datetime.combine(day, time(12), tzinfo=ZoneInfo(self.zone)))


@dataclass(frozen=True)
class Day:
    date: date
    words: Moment
    free: int
    is_open: bool


@dataclass(frozen=True)
class Choice:
    slot: Slot
    words: Moment
    is_free: bool

    @property
    def value(self) -> str:
        return value_of(self.slot.start)


@dataclass(frozen=True)
class Part:
    """A morning, afternoon or evening."""

    name: str
    choices: list[Choice]


def value_of(start: datetime) -> str:
    """How forms carry an instant."""
    return start.astimezone(UTC).strftime(VALUE)


def start_from(value: str) -> datetime | None:
    """The instant that ``value_of`` wrote; None for anything else."""
    try:
        start = datetime.strptime(value, VALUE).replace(tzinfo=UTC)
    except ValueError:
        return None
    return start if start.year in YEARS else None


def day_from(value: str | None) -> date | None:
    """The day that an ISO date names; None for anything else."""
    try:
        day = date.fromisoformat(value or "")
    except ValueError:
        return None
    return day if day.year in YEARS else None


def strip(times: Times, first_day: date, clock: Clock) -> list[Day]:
    """The days from ``first_day`` on, with how many slots each has left."""
    every = [clock.at(slot.start).date for slot in times.all]
    free = [clock.at(slot.start).date for slot in times.free]
    days = [first_day + timedelta(days=n) for n in range(STRIP)]
    return [Day(day, clock.day(day), free.count(day), day in every) for day in days]


def parts(times: Times, day: date, clock: Clock) -> list[Part]:
    """The day's slots to come by morning, afternoon and evening; those taken stay in their place."""
    free = set(times.free)
    choices = [Choice(slot, clock.at(slot.start), slot in free) for slot in times.all]
    of_day = [choice for choice in choices if choice.words.date == day]
    return [Part(name, list(group)) for name, group in groupby(of_day, _part_of_day)]


def near(slots: Sequence[Slot], wanted: datetime, clock: Clock) -> list[tuple[str, str]]:
    """Free times to offer instead: value and words, with the date where the weekday would mislead."""
    offers = []
    for slot in slots:
        moment = clock.at(slot.start)
        is_close = abs(slot.start - wanted) < timedelta(days=5)
        offers.append((value_of(slot.start), f"{moment.short_weekday if is_close else moment.short_day} {moment.time}"))
    return offers


def _part_of_day(choice: Choice) -> str:
    weekday, hour = choice.words.weekday, choice.words.local.hour
    if hour < NOON:
        name = _("%(weekday)s morning")
    elif hour < EVENING:
        name = _("%(weekday)s afternoon")
    else:
        name = _("%(weekday)s evening")
    words = name % {"weekday": weekday}
    return words[:1].upper() + words[1:]
