"""What makes one visit of the booking page a series: shown with what is in the way, before anything is saved."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _

from visits.booking import services
from visits.booking.days import Clock, start_from, value_of
from visits.booking.picker import Picker
from visits.booking.services.series import InTheWay
from visits.schedule.moment import Moment

WEEKS, COUNT = range(1, 13), range(2, 27)


@dataclass(frozen=True)
class Choice:
    """A time that can be ticked."""

    value: str
    words: Moment
    is_ticked: bool


@dataclass(frozen=True)
class Row:
    """One visit of the series: the time itself, or why not and the nearest free one."""

    number: int
    when: Moment
    problem: str
    choice: Choice | None


class Repeat:
    def __init__(self, page: Picker) -> None:
        self.page = page
        self.is_on = page.data.get("repeat") == "yes"
        self.weeks = _number(page.data.get("weeks"), WEEKS, 1)
        self.count = _number(page.data.get("count"), COUNT, 4)

    @property
    def key(self) -> str:
        """What the ticks belong to: with another time, clinician or distance they are made anew."""
        start, who, what = self.page.start, self.page.practitioner, self.page.visit_type
        if start is None or who is None or what is None:
            return ""
        return f"{value_of(start.instant)} {who.pk} {what.pk} {self.weeks} {self.count}"

    @property
    def is_seen(self) -> bool:
        """Whether what is ticked was ticked on this very list."""
        return bool(self.key) and self.page.data.get("repeat_of") == self.key

    @cached_property
    def rows(self) -> list[Row]:
        page = self.page
        if not self.is_on or page.start is None or page.practitioner is None or page.visit_type is None:
            return []
        found = services.series_starts(
            practitioner=page.practitioner,
            visit_type=page.visit_type,
            first=page.start.instant,
            weeks=self.weeks,
            count=self.count,
            patient=getattr(page, "patient", None),
            hold=page.held,
        )
        return [self._row(number, one) for number, one in enumerate(found, 1)]

    @property
    def starts(self) -> list[datetime]:
        """What is ticked, in order."""
        ticked = (start_from(row.choice.value) for row in self.rows if row.choice and row.choice.is_ticked)
        return sorted(start for start in ticked if start)

    @property
    def lost(self) -> str:
        """What was ticked on this list and is not there to be ticked any more, in words; empty where there is none."""
        if not self.is_seen or not self.rows:
            return ""
        there = {row.choice.value for row in self.rows if row.choice}
        gone = [start_from(value) for value in self.page.data.getlist("at") if value not in there]
        words = listed_words(self.page.clock, gone)
        if not words:
            return ""
        return _("Not in the list any more: %(times)s. Look through the visits again, then book.") % {"times": words}

    def _row(self, number: int, one: services.Occurrence) -> Row:
        start = one.start if one.problem is None else one.instead.start if one.instead else None
        words = problem_words(one.problem) if one.problem else ""
        when = self.page.clock.at(one.start)
        if start is None:
            return Row(number, when, words, None)
        value = value_of(start)
        is_ticked = value in self.page.data.getlist("at") if self.is_seen else one.problem is None
        return Row(number, when, words, Choice(value, self.page.clock.at(start), is_ticked))


def listed_words(clock: Clock, starts: Iterable[datetime | None]) -> str:
    """Days and times one after the other; None was no time at all."""
    moments = [clock.at(start) for start in sorted(start for start in starts if start)]
    return "; ".join(f"{moment.short_day}, {moment.time}" for moment in moments)


def problem_words(problem: InTheWay) -> str:
    return {
        InTheWay.TAKEN: _("taken"),
        InTheWay.NOT_AVAILABLE: _("no visits then"),
        InTheWay.PATIENT_BUSY: _("the patient is busy"),
    }[problem]


def _number(value: str | None, allowed: range, usual: int) -> int:
    try:
        number = int(value or usual)
    except ValueError:
        return usual
    return min(max(number, allowed[0]), allowed[-1])
