"""The booking page: what has been chosen so far, what there is to choose from, what went wrong."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from django.db.models import Model
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.doors import PrincipalRequest
from accounts.links import birthdate
from accounts.models import Patient, Practitioner
from visits.booking import patients, services
from visits.booking.days import STRIP, Clock, Day, Part, day_from, near, parts, start_from, strip
from visits.booking.forms import NewPatientForm
from visits.booking.models import Appointment
from visits.booking.times import Times, first_free, times
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment

NEW = "new"
FURTHEST = timedelta(days=366)

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Conflict:
    """Why it cannot be booked as asked, in words, and what to take instead."""

    title: str
    text: str
    times: Sequence[tuple[str, str]] = ()
    same: Sequence[Patient] = ()


class BookPage:
    """Reads a form that may be half filled in. What is unknown or of another clinic counts as not chosen."""

    def __init__(self, request: PrincipalRequest, data: QueryDict) -> None:
        self.request = request
        self.principal = request.principal
        self.clinic = request.principal.clinic
        self.data = data
        self.now = timezone.now()
        self.clock = Clock(self.clinic.time_zone, (get_language() or "en")[:2])
        self.conflict: Conflict | None = None
        self.problems: list[tuple[str, str]] = []  # where (an id on the page) and what to do

    # --- who ----------------------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        return self._wanted_patient == NEW

    @cached_property
    def patient(self) -> Patient | None:
        pk = _uuid(self._wanted_patient)
        return Patient.objects.filter(clinic=self.clinic, pk=pk).first() if pk else None

    @property
    def _wanted_patient(self) -> str:
        return self.data.get("use") or self.data.get("patient", "")

    @cached_property
    def newcomer(self) -> NewPatientForm:
        """The new patient's fields: checked when they are to be booked, else as they stand."""
        is_due = self.is_new and self.data.get("do") == "book"
        return NewPatientForm(self.data) if is_due else NewPatientForm(initial=self.data.dict())

    @property
    def text(self) -> str:
        return self.data.get("text", "").replace("\0", "").strip()

    @cached_property
    def matches(self) -> list[Patient]:
        if not self.text:
            return []
        return patients.search(principal=self.principal, text=self.text, request=self.request)

    @property
    def found(self) -> list[Patient]:
        """Who matches the search; the chosen patient stays among them."""
        is_extra = self.patient is not None and self.patient not in self.matches
        return [self.patient, *self.matches] if self.patient is not None and is_extra else self.matches

    @property
    def found_words(self) -> str:
        count = len(self.matches)
        if not self.text:
            return ""
        if count >= patients.LIMIT:
            return _("The first %(count)d. Type more to find the right one.") % {"count": count}
        return _("%(count)d found") % {"count": count} if count else _("Nobody found.")

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

    @cached_property
    def practitioner(self) -> Practitioner | None:
        """The chosen clinician; else the one who is booking; else the first."""
        user = self.principal.user
        own = next((row for row in self.practitioners if user and row.user_id == user.pk), None)
        return _chosen(self.practitioners, self.data.get("practitioner")) or own or next(iter(self.practitioners), None)

    @cached_property
    def visit_type(self) -> VisitType | None:
        return _chosen(self.visit_types, self.data.get("visit_type")) or next(iter(self.visit_types), None)

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
            wanted = self._week_with(day_from(self.data.get("day")) or self.today, self.today)
        return min(max(wanted, self.today), self.today + FURTHEST)

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
    def week_words(self) -> str:
        last = self.first_day + timedelta(days=STRIP - 1)
        return f"{self.clock.day(self.first_day).month_day} – {self.clock.day(last).month_day}"

    @cached_property
    def times(self) -> Times:
        if self.practitioner is None or self.visit_type is None:
            return Times([], [])
        return times(
            practitioner=self.practitioner,
            visit_type=self.visit_type,
            first_day=self.first_day,
            last_day=self.first_day + timedelta(days=STRIP - 1),
            now=self.now,
        )

    @cached_property
    def days(self) -> list[Day]:
        return strip(self.times, self.first_day, self.clock)

    @cached_property
    def day(self) -> date | None:
        """The chosen day if it is shown and has times; else the first with a free one."""
        wanted = day_from(self.data.get("day"))
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

    # --- what the card says -------------------------------------------------------------------

    @property
    def zone(self) -> Moment:
        return self.start or self.clock.at(self.now)

    @property
    def patients_clock(self) -> Moment | None:
        """The time as the patient's clock shows it, where that differs."""
        if self.start is None or self.patient is None or not self.patient.time_zone:
            return None
        theirs = Moment(self.start.instant, self.patient.time_zone, self.clock.language)
        return None if theirs.is_same_clock(self.start) else theirs

    @property
    def email(self) -> str:
        return self.data.get("email", "").strip() if self.is_new else self.patient.email if self.patient else ""

    @property
    def new_born(self) -> date | None:
        """The birth date typed for a new patient, to be read back in words."""
        try:
            return birthdate.parse(self.data.get("birth_date", ""), self.clock.language)
        except ValueError:
            return None

    @property
    def lacks_email(self) -> bool:
        """Whether to say that no message can be sent: not while a new patient is still a blank form."""
        is_somebody = bool(self.data.get("given_name")) if self.is_new else self.patient is not None
        return is_somebody and not self.email

    @property
    def is_more_than_a_day_off(self) -> bool:
        return self.start is None or self.start.instant - self.now > timedelta(days=1)

    # --- booking ------------------------------------------------------------------------------

    def submit(self) -> Appointment | None:
        """Book what was chosen. None when something is missing or in the way: ``problems``, ``conflict``."""
        self.problems = self._missing()
        if self.problems or self.practitioner is None or self.visit_type is None or self.wanted_start is None:
            return None
        try:
            if self.patient is not None:
                return services.book(
                    principal=self.principal,
                    practitioner=self.practitioner,
                    patient=self.patient,
                    visit_type=self.visit_type,
                    start=self.wanted_start,
                )
            return services.book_new_patient(
                principal=self.principal,
                practitioner=self.practitioner,
                visit_type=self.visit_type,
                start=self.wanted_start,
                details=self.newcomer.details(),
                despite_same=bool(self.data.get("despite_same")),
            )
        except services.BookingError as refusal:
            self.conflict = self._conflict(refusal)
            return None

    @property
    def problem_at(self) -> dict[str, str]:
        return dict(self.problems)

    def _missing(self) -> list[tuple[str, str]]:
        problems = []
        if self.is_new:
            problems += [(bound.id_for_label, str(error)) for bound in self.newcomer for error in bound.errors]
        elif self.patient is None:
            problems.append(("who", _("Choose a patient, or add a new one.")))
        # The page shows others instead of those that are gone; nothing is booked with what was not chosen.
        if _chosen(self.visit_types, self.data.get("visit_type")) is None:
            problems.append(("visit_type", _("Choose a visit type.")))
        if _chosen(self.practitioners, self.data.get("practitioner")) is None:
            problems.append(("practitioner", _("Choose a clinician.")))
        if self.wanted_start is None:
            problems.append(("when", _("Choose a time.")))
        return problems

    def _conflict(self, refusal: services.BookingError) -> Conflict:
        assert self.wanted_start is not None  # noqa: S101 - ``submit`` has checked
        wanted = self.clock.at(self.wanted_start)
        match refusal:
            case services.SlotTaken():
                return Conflict(
                    _("%(time)s was just taken") % {"time": wanted.clock},
                    _("Someone booked it a moment ago. Everything you typed is still here."),
                    near(refusal.nearest, self.wanted_start, self.clock),
                )
            case services.NotAvailable():
                return Conflict(
                    _("%(time)s cannot be booked any more") % {"time": wanted.clock},
                    _("The time is past, or the hours have changed. Everything you typed is still here."),
                    near(refusal.nearest, self.wanted_start, self.clock),
                )
            case services.PatientBusy():
                other = self.clock.at(refusal.visit.start)
                return Conflict(
                    _("The patient is busy then"),
                    _("%(name)s already has a visit at that time, %(time)s with %(clinician)s.")
                    % {
                        "name": refusal.visit.patient.given_name,
                        "time": f"{other.short_weekday} {other.time}",
                        "clinician": refusal.visit.practitioner.name,
                    },
                )
            case services.AlreadyKnown():
                return Conflict(
                    _("Is it one of these patients?"),
                    _("A patient of this name and birth date is already known here."),
                    same=refusal.patients,
                )
        raise refusal


def page_of(request: HttpRequest) -> BookPage:
    """The page as the request's form or address describes it. Needs a request that has passed a door."""
    data = request.POST if request.method == "POST" else request.GET
    return BookPage(request, data)  # type: ignore[arg-type]


def _chosen(rows: Sequence[Row], value: str | None) -> Row | None:
    return next((row for row in rows if str(row.pk) == value), None)


def _uuid(value: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(value)
    except ValueError:
        return None
