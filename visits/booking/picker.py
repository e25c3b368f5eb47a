"""Choosing a visit type, a clinician and a time, which is held as long as it is chosen; for booking and moving."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from django.db.models import Model
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.doors import PrincipalRequest
from accounts.language import page_language
from accounts.models import Practitioner
from visits.booking import services
from visits.booking.conflict import Conflict
from visits.booking.days import STRIP, Clock, Day, Part, day_from, parts, start_from, strip
from visits.booking.errors import Refused
from visits.booking.models import Appointment, Hold
from visits.booking.times import Leaving, first_free, free_slots_of_any, times
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment
from visits.schedule.slots import Slot, Times

ANY = "any"
FURTHEST = timedelta(days=366)

Row = TypeVar("Row", bound=Model)


class Picker:
    """Reads a form that may be half filled in. What is unknown or of another clinic counts as not chosen.

    Who picks holds one time at most, so that a page that was left holds nothing beside.
    """

    visit: Appointment | None = None  # that is to be moved: its own time counts as free

    def __init__(self, request: PrincipalRequest, data: QueryDict) -> None:
        self.request = request
        self.principal = request.principal
        self.clinic = request.principal.clinic
        self.data = data
        self.now = timezone.now()
        self.clock = Clock(self.clinic.time_zone, page_language())
        self.conflict: Conflict | None = None
        self.problems: list[tuple[str, str]] = []  # where (an id on the page) and what to do

    @property
    def leaving(self) -> Leaving:
        """Whose time counts as free."""
        return self.visit or self.held

    @property
    def can_be_held(self) -> bool:
        """Whether the chosen time can be kept while it is looked at."""
        return True

    @property
    def parts_url(self) -> str:
        """Where the parts that follow a choice are to be had."""
        raise NotImplementedError

    @property
    def problem_at(self) -> dict[str, str]:
        return dict(self.problems)

    # --- with whom, for what ------------------------------------------------------------------

    @cached_property
    def practitioners(self) -> list[Practitioner]:
        rows = list(Practitioner.objects.filter(clinic=self.clinic, is_active=True))
        for row in rows:
            row.clinic = self.clinic
        return rows

    @cached_property
    def visit_types(self) -> list[VisitType]:
        return list(VisitType.objects.filter(clinic=self.clinic, is_active=True))

    @property
    def is_any(self) -> bool:
        """Whether any clinician will do."""
        return self.data.get("practitioner") == ANY

    @cached_property
    def practitioner(self) -> Practitioner | None:
        """The chosen clinician, else the usual one; of any, who takes the chosen time."""
        if self.is_any:
            return self.takers[0] if self.takers else None
        return chosen(self.practitioners, self.data.get("practitioner")) or self.usual_practitioner()

    def usual_practitioner(self) -> Practitioner | None:
        """The one who is booking; else the first."""
        user = self.principal.user
        own = next((row for row in self.practitioners if user and row.user_id == user.pk), None)
        return own or next(iter(self.practitioners), None)

    @cached_property
    def visit_type(self) -> VisitType | None:
        return chosen(self.visit_types, self.data.get("visit_type")) or self.usual_visit_type()

    def usual_visit_type(self) -> VisitType | None:
        return next(iter(self.visit_types), None)

    # --- when ---------------------------------------------------------------------------------

    @cached_property
    def today(self) -> date:
        return self.clock.at(self.now).date

    @cached_property
    def wanted_start(self) -> datetime | None:
        """The time that was chosen, free or not."""
        return start_from(self.data.get("choose") or self.data.get("start", ""))

    @cached_property
    def first_day(self) -> date:
        """The first day shown. A time just chosen, or a day asked for, brings its week along."""
        wanted = day_from(self.data.get("go")) or day_from(self.data.get("week"))
        if self.data.get("choose") and self.wanted_start:
            wanted = self._week_with(self.clock.at(self.wanted_start).date, wanted or self.today)
        elif wanted is None:
            wanted = self._week_with(day_from(self.data.get("day")) or self.usual_day() or self.today, self.today)
        return min(max(wanted, self.today), self.today + FURTHEST)

    def usual_day(self) -> date | None:
        """Where to look first, when no day was chosen."""
        return None

    @staticmethod
    def _week_with(day: date, first_day: date) -> date:
        """The first day of the strip that contains ``day``, counted in whole strips from ``first_day``."""
        return first_day + timedelta(days=(day - first_day).days // STRIP * STRIP)

    @property
    def week_before(self) -> date | None:
        return max(self.first_day - timedelta(days=STRIP), self.today) if self.first_day > self.today else None

    @property
    def week_after(self) -> date | None:
        after = self.first_day + timedelta(days=STRIP)
        return after if after <= self.today + FURTHEST else None

    @property
    def last_day(self) -> date:
        """The last day shown."""
        return self.first_day + timedelta(days=STRIP - 1)

    @property
    def week_words(self) -> str:
        return f"{self.clock.day(self.first_day).month_day} – {self.clock.day(self.last_day).month_day}"

    @cached_property
    def times(self) -> Times:
        """Those of the clinician, or of any: then only those that are free with somebody."""
        if self.is_any:
            free = sorted(self._free_of_any)
            return Times(free, free)
        if self.visit_type is None or self.practitioner is None:
            return Times([], [])
        found = times(
            practitioner=self.practitioner,
            visit_type=self.visit_type,
            first_day=self.first_day,
            last_day=self.last_day,
            now=self.now,
            instead_of=self.leaving,
        )
        still, who = set(found.free), self.practitioner
        return Times(found.all, [slot for slot in found.all if slot in still or self._is_held(slot, who)])

    @cached_property
    def _free_of_any(self) -> dict[Slot, list[Practitioner]]:
        """The free times of the days shown with who is free then; who is held comes first."""
        if self.visit_type is None:
            return {}
        found = free_slots_of_any(
            clinic=self.clinic,
            visit_type=self.visit_type,
            first_day=self.first_day,
            last_day=self.last_day,
            now=self.now,
            for_patient=False,
            instead_of=self.leaving,
        )
        free = dict(found)
        held = self.held
        if held is None or held.visit_type_id != self.visit_type.pk:
            return free
        slot, who = Slot(held.start, held.end), held.practitioner
        if self.first_day <= self.clock.at(held.start).date <= self.last_day:
            free[slot] = [who, *(one for one in free.get(slot, []) if one != who)]
        return free

    @property
    def takers(self) -> list[Practitioner]:
        """Of any clinician: who is free at the chosen time, the fairest choice first."""
        return next((who for slot, who in self._free_of_any.items() if slot.start == self.wanted_start), [])

    @cached_property
    def days(self) -> list[Day]:
        return strip(self.times, self.first_day, self.clock)

    @cached_property
    def day(self) -> date | None:
        """The chosen or usual day if it is shown and has times; else the first with a free one."""
        wanted = day_from(self.data.get("day")) or self.usual_day()
        if self.data.get("choose") and self.wanted_start:
            wanted = self.clock.at(self.wanted_start).date
        shown = {day.date for day in self.days if day.is_open}
        return wanted if wanted in shown else next((day.date for day in self.days if day.free), None)

    @cached_property
    def parts(self) -> list[Part]:
        return parts(self.times, self.day, self.clock) if self.day else []

    @cached_property
    def start(self) -> Moment | None:
        """The chosen time, while it is shown and free."""
        shown = {choice.slot.start for part in self.parts for choice in part.choices if choice.is_free}
        return self.clock.at(self.wanted_start) if self.wanted_start in shown and self.wanted_start else None

    @property
    def lost(self) -> Moment | None:
        """The chosen time, if it is shown but somebody else has it by now."""
        taken = {choice.slot.start for part in self.parts for choice in part.choices if not choice.is_free}
        return self.clock.at(self.wanted_start) if self.wanted_start in taken and self.wanted_start else None

    @cached_property
    def next_free(self) -> Moment | None:
        """Where to look when the days shown have nothing: the first free time after them."""
        if self.times.free or self.practitioner is None or self.visit_type is None:
            return None
        after = self.first_day + timedelta(days=STRIP)
        slot = first_free(practitioner=self.practitioner, visit_type=self.visit_type, after=after, now=self.now)
        return self.clock.at(slot.start) if slot else None

    @property
    def zone(self) -> Moment:
        return self.start or self.clock.at(self.now)

    # --- held ---------------------------------------------------------------------------------

    @cached_property
    def held(self) -> Hold | None:
        """What this person holds now, also from before the page was loaded again."""
        own = Hold.objects.filter(clinic=self.clinic, held_by=self.principal.user, expires_at__gt=self.now)
        return own.select_related("practitioner", "visit_type").order_by("created_at").last()

    @property
    def held_until(self) -> Moment | None:
        is_chosen = self.held is not None and self.start is not None and self.held.start == self.start.instant
        return self.clock.at(self.held.expires_at) if self.held and is_chosen else None

    def keep(self) -> None:
        """Hold the chosen time instead of what was held before; nothing, if none is chosen."""
        if self.start is None or self.practitioner is None or self.visit_type is None or not self.can_be_held:
            if self.held is not None:
                services.release(self.held)
                self.held = None
            return
        try:
            self.held = services.hold(
                principal=self.principal,
                practitioner=self.practitioner,
                visit_type=self.visit_type,
                start=self.start.instant,
                visit=self.visit,
            )
        except Refused:
            self._read_again()

    def _read_again(self) -> None:
        """Somebody was faster: what was read before, and all that follows from it, is not true any more."""
        for name in list(vars(self)):
            if isinstance(getattr(type(self), name, None), cached_property):
                del vars(self)[name]

    def _is_held(self, slot: Slot, practitioner: Practitioner) -> bool:
        held = self.held
        return held is not None and (held.start, held.end, held.practitioner_id) == (
            slot.start,
            slot.end,
            practitioner.pk,
        )

    # --- what is missing or in the way --------------------------------------------------------

    def missing(self) -> list[tuple[str, str]]:
        """What was not chosen. The page shows others instead of those that are gone; they do not count."""
        problems = []
        if chosen(self.visit_types, self.data.get("visit_type")) is None:
            problems.append(("visit_type", _("Choose a visit type.")))
        if not self.is_any and chosen(self.practitioners, self.data.get("practitioner")) is None:
            problems.append(("practitioner", _("Choose a clinician.")))
        if self.wanted_start is None:
            problems.append(("when", _("Choose a time.")))
        return problems


def moved_words(at: Moment, visit: Appointment) -> str:
    """Where a visit was moved, to be said on whatever page comes next: so it names no patient."""
    return _("Moved to %(day)s, %(time)s %(zone)s with %(clinician)s.") % {
        "day": at.short_day,
        "time": at.time,
        "zone": at.zone_code,
        "clinician": visit.practitioner.name,
    }


def chosen(rows: Sequence[Row], value: str | None) -> Row | None:
    """The row whose id was sent; None for one that is not among them."""
    return next((row for row in rows if str(row.pk) == value), None)


def as_uuid(value: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(value)
    except ValueError:
        return None
