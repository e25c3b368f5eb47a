"""A moment in words: day, time and zone, as a reader of that language expects them."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime, get_timezone_gmt, get_timezone_name

from accounts.language import page_language

# Spanish of the United States names American zones ("CT"); plain Spanish writes the hours as we want them.
ZONE_LOCALES = {"en": "en_US", "es": "es_US"}
LONGEST_SHORT_NAME = 5
NOWHERE = "ZZ"  # CLDR's code of an unknown region
DAYS = {"en": "EEEE, MMMM d", "es": "EEEE d 'de' MMMM"}
SHORT_DAYS = {"en": "EEE, MMM d", "es": "EEE d MMM"}
DATES = {"en": "MMM d, y", "es": "d MMM y"}
MONTH_DAYS = {"en": "MMM d", "es": "d MMM"}


def of_page(instant: datetime, zone: str) -> "Moment":
    """The moment in the language of the page that is being made."""
    return Moment(instant, zone, page_language())


@dataclass(frozen=True)
class Moment:
    """One instant on the wall clock of ``zone``, in ``language``."""

    instant: datetime
    zone: str
    language: str

    @property
    def local(self) -> datetime:
        return self.instant.astimezone(ZoneInfo(self.zone))

    @property
    def date(self) -> date:
        return self.local.date()

    @property
    def day(self) -> str:
        """Tuesday, November 24"""
        return self._format(DAYS[self.language])

    @property
    def short_day(self) -> str:
        """Tue, Nov 24"""
        return self._format(SHORT_DAYS[self.language])

    @property
    def full_date(self) -> str:
        """Nov 24, 2026"""
        return self._format(DATES[self.language])

    @property
    def month_day(self) -> str:
        """Nov 24"""
        return self._format(MONTH_DAYS[self.language])

    @property
    def weekday(self) -> str:
        """Tuesday"""
        return self._format("EEEE")

    @property
    def short_weekday(self) -> str:
        """Tue"""
        return self._format("EEE")

    @property
    def time(self) -> str:
        """10:30 am"""
        return self._time("h:mm a")

    @property
    def exact_time(self) -> str:
        """10:30:05 am"""
        return self._time("h:mm:ss a")

    @property
    def clock(self) -> str:
        """10:30, where the half of the day is plain from what stands around it"""
        return self._format("h:mm")

    @property
    def zone_name(self) -> str:
        """Central Time; of a zone that lies in no country its letters or its distance ("UTC", "GMT-05:00")"""
        locale = Locale.parse(ZONE_LOCALES[self.language])
        name = get_timezone_name(ZoneInfo(self.zone), "long", locale=locale, zone_variant="generic")
        if locale.territories[NOWHERE] not in name:
            return name
        letters = self.local.tzname() or ""
        return letters if letters.isalpha() else get_timezone_gmt(self.local, "long", locale=locale)

    @property
    def zone_code(self) -> str:
        """CT; where people have no such letters, those of the clock ("CET", "+1030")"""
        name = get_timezone_name(
            ZoneInfo(self.zone), "short", locale=ZONE_LOCALES[self.language], zone_variant="generic"
        )
        return name if len(name) <= LONGEST_SHORT_NAME else self.local.tzname() or ""

    def is_same_clock(self, other: "Moment") -> bool:
        """Whether both zones show the same day and time at this instant."""
        return self.local.replace(tzinfo=None) == other.local.replace(tzinfo=None)

    def _time(self, pattern: str) -> str:
        text = self._format(pattern)
        # A line that ends between "10:30" and "a. m." reads badly.
        return text.lower() if self.language == "en" else re.sub(r"\s", "\u00a0", text)

    def _format(self, pattern: str) -> str:
        return format_datetime(self.instant, pattern, tzinfo=ZoneInfo(self.zone), locale=self.language)
