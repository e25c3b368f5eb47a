"""Moving a visit together with those after it: shown with what is in the way, before anything is saved."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from visits.booking import services
from visits.booking.days import start_from, value_of
from visits.booking.models import Appointment
from visits.booking.repeat import Choice, listed_words, problem_words
from visits.schedule.moment import Moment

if TYPE_CHECKING:
    from visits.booking.move_page import MovePage


@dataclass(frozen=True)
class Row:
    """A later visit: where it is, and the time that it would get, or why not and the nearest free one."""

    number: int
    visit: Appointment
    old: Moment
    new: Moment
    problem: str
    choice: Choice | None


class Shift:
    def __init__(self, page: "MovePage") -> None:
        self.page = page
        self.is_on = page.data.get("following") == "yes"

    @cached_property
    def visits(self) -> list[Appointment]:
        """Those that were booked together with the visit, for after it."""
        return list(services.following(self.page.visit))

    @property
    def key(self) -> str:
        """What the ticks belong to: with another time, clinician or type they are made anew."""
        start, who, what = self.page.start, self.page.practitioner, self.page.visit_type
        return f"{value_of(start.instant)} {who.pk} {what.pk}" if start and who and what else ""

    @property
    def is_seen(self) -> bool:
        """Whether what is ticked was ticked on this very list."""
        return bool(self.key) and self.page.data.get("shift_of") == self.key

    @cached_property
    def rows(self) -> list[Row]:
        page = self.page
        if not self.is_on or page.start is None:
            return []
        found = services.following_starts(visit=page.visit, start=page.start.instant, **page.changed)
        return [self._row(number, visit, one) for number, (visit, one) in enumerate(found, 1)]

    @property
    def later(self) -> dict[uuid.UUID, datetime]:
        """When each of those that are ticked is to be."""
        return {row.visit.pk: row.choice.words.instant for row in self.rows if row.choice and row.choice.is_ticked}

    @property
    def lost(self) -> str:
        """What was ticked on this list and is not there to be ticked any more, in words; empty where there is none."""
        if not self.is_seen:
            return ""
        there = {str(row.visit.pk): value_of(row.choice.words.instant) if row.choice else "" for row in self.rows}
        ticked = (value.partition(" ")[::2] for value in self.page.data.getlist("later"))
        gone = [start_from(start) for pk, start in ticked if there.get(pk, start) != start]
        words = listed_words(self.page.clock, gone)
        if not words:
            return ""
        return _("Not in the list any more: %(times)s. Look through the visits again, then move.") % {"times": words}

    def covers(self, start: datetime, end: datetime) -> bool:
        """Whether one of the later visits, which would make room, is there now."""
        return self.is_on and any(one.start < end and start < one.end for one in self.visits)

    def _row(self, number: int, visit: Appointment, one: services.Occurrence) -> Row:
        clock = self.page.clock
        start = one.start if one.problem is None else one.instead.start if one.instead else None
        words = problem_words(one.problem) if one.problem else ""
        old, new = clock.at(visit.start), clock.at(one.start)
        if start is None:
            return Row(number, visit, old, new, words, None)
        value = f"{visit.pk} {value_of(start)}"
        is_ticked = value in self.page.data.getlist("later") if self.is_seen else one.problem is None
        return Row(number, visit, old, new, words, Choice(value, clock.at(start), is_ticked))
