"""Days, ranges and times in words of the page's language."""

from datetime import UTC, date, datetime
from functools import lru_cache

from babel.dates import format_date, get_month_names
from django.utils.translation import gettext as _

from accounts.language import page_language
from visits.booking.days import Clock
from visits.schedule.models import ScheduleException
from visits.schedule.moment import Moment
from visits.schedule.wall_clock import MIDNIGHT


def noon(day: date, zone: str) -> Moment:
    """The day in words, by its noon."""
    return Clock(zone, page_language()).day(day)


# From and to: within a month, within a year, over the turn of the year. CLDR has these for short names of months only.
RANGES = {
    "en": (("MMMM d", "d, y"), ("MMMM d", "MMMM d, y"), ("MMMM d, y", "MMMM d, y")),
    "es": (("d", "d 'de' MMMM 'de' y"), ("d 'de' MMMM", "d 'de' MMMM 'de' y"), ("d 'de' MMMM 'de' y",) * 2),
}


def range_words(first: date, last: date) -> str:
    """From the first day to the last, as "November 23" and "27, 2026" with a dash between them."""
    apart = 2 if first.year != last.year else 1 if first.month != last.month else 0
    return " – ".join(
        str(format_date(day, pattern, locale=page_language()))
        for day, pattern in zip((first, last), RANGES[page_language()][apart], strict=True)
    )


def month_words(day: date) -> str:
    """November 2026"""
    name = get_month_names("wide", context="stand-alone", locale=page_language())[day.month]
    return f"{name} {day.year}".capitalize()


def weekday_words(day: date, width: str = "EEEE") -> str:
    """Monday; with "EEE" Mon"""
    return str(format_date(day, width, locale=page_language()))


def clock(local: datetime) -> str:
    """10:30, of a time that is local already."""
    return _moment(page_language(), local.hour, local.minute)[0]


def clock_time(local: datetime) -> str:
    """10:30 am"""
    return _moment(page_language(), local.hour, local.minute)[1]


def hour_words(hour: int, minute: int = 0) -> str:
    """8 am; 8:30 am where the zones are half an hour apart"""
    words = _moment(page_language(), hour % 24, minute)[1]
    return words if minute else words.replace(":00", "", 1)


def hours_words(exception: ScheduleException) -> str:
    """From when to when on each of its days; nothing for whole days."""
    start, end = exception.start_time, exception.end_time
    if start is None or end is None:
        return ""
    until = _("midnight") if end == MIDNIGHT else _moment(page_language(), end.hour, end.minute)[1]
    return f"{_moment(page_language(), start.hour, start.minute)[1]} – {until}"


@lru_cache(maxsize=4096)
def _moment(language: str, hour: int, minute: int) -> tuple[str, str]:
    """A week has two thousand times, a day but 1440: putting one in words takes as long as all else of a visit."""
    moment = Moment(datetime(2001, 1, 1, hour, minute, tzinfo=UTC), "UTC", language)
    return moment.clock, moment.time
