"""Moving a visit to where it was dropped: asked first, with who will be told; refused with what is free nearby."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import Http404, HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.language import page_language
from accounts.models import Practitioner
from accounts.principal import Principal
from visits.booking import services
from visits.booking.access import VISITS
from visits.booking.conflict import busy_words
from visits.booking.days import Clock, near, start_from, value_of
from visits.booking.errors import Refused
from visits.booking.models import Appointment, AppointmentChange
from visits.booking.picker import as_uuid, moved_words
from visits.booking.times import free_slots, free_slots_of_any
from visits.calendar import words
from visits.calendar.page import CalendarPage
from visits.schedule.moment import Moment

SESSION_MOVED = "calendar-moved"
OFFERED_FOR = timedelta(minutes=10)


class Move:
    """A visit and where it is to go. A clinician of another clinic counts as not asked for."""

    def __init__(self, principal: Principal, visit: Appointment, data: QueryDict) -> None:
        self.principal = principal
        self.visit = visit
        self.clock = Clock(str(timezone.get_current_timezone()), page_language())
        self.start = start_from(data.get("start", ""))
        self.practitioner = self._practitioner(data.get("practitioner", "")) or visit.practitioner
        self.reason = data.get("reason", "").replace("\0", "").strip()[:200]
        # What is in the way, in words, and (value, words) of what is free.
        self.problem: tuple[str, str] | None = None
        self.nearest: list[tuple[str, str]] = []

    def _practitioner(self, value: str) -> Practitioner | None:
        pk = as_uuid(value)
        return Practitioner.objects.filter(clinic=self.principal.clinic, pk=pk).first() if pk else None

    @property
    def value(self) -> str:
        return value_of(self.start) if self.start else ""

    @property
    def old(self) -> Moment:
        return self.clock.at(self.visit.start)

    @property
    def new(self) -> Moment | None:
        return self.clock.at(self.start) if self.start else None

    @property
    def clinics(self) -> Moment | None:
        """The new time by the clinic's clock, where that is another than the reader's."""
        return self._elsewhere(self.visit.clinic.time_zone)

    @property
    def patients(self) -> Moment | None:
        """The new time by the patient's clock, where that is another than the clinic's."""
        zone = self.visit.patient.time_zone
        return self._elsewhere(zone) if zone and zone != self.visit.clinic.time_zone else None

    @property
    def changes_clinician(self) -> bool:
        return self.practitioner.pk != self.visit.practitioner_id

    def submit(self) -> Appointment | None:
        """Move the visit. None when something is in the way, or it can be moved no more: ``problem``, ``nearest``."""
        if self.start is None:
            return None
        try:
            return self._move(self.start)
        except services.BookingError as refusal:
            self.problem = self._words(refusal)
            if isinstance(refusal, Refused):
                self.nearest = near(refusal.nearest, self.start, self.clock)
            return None

    def _move(self, start: datetime) -> Appointment:
        return services.move(
            principal=self.principal,
            visit=self.visit,
            start=start,
            practitioner=self.practitioner if self.changes_clinician else None,
            reason=self.reason,
        )

    def _words(self, refusal: services.BookingError) -> tuple[str, str]:
        assert self.start is not None  # noqa: S101 - ``submit`` has checked
        wanted = self.clock.at(self.start)
        match refusal:
            case services.SlotTaken():
                return (
                    _("%(time)s is taken") % {"time": wanted.clock},
                    _("Somebody has that time, or is booking it just now."),
                )
            case services.NotAvailable():
                return (
                    _("%(time)s cannot be booked") % {"time": wanted.clock},
                    _("It is past, outside of the hours of %(clinician)s, or no time for this visit type.")
                    % {"clinician": self.practitioner.name},
                )
            case services.PatientBusy():
                return busy_words(refusal, self.clock)
            case services.WrongState():
                return (
                    _("This visit cannot be moved any more"),
                    _("It has begun, is over, or was cancelled meanwhile."),
                )
        raise refusal

    def _elsewhere(self, zone: str) -> Moment | None:
        if self.new is None:
            return None
        theirs = Moment(self.new.instant, zone, self.new.language)
        return None if theirs.is_same_clock(self.new) else theirs


class Back(Move):
    """Taking back the move that made the visit's ``revision``. Raises Http404 when there was none."""

    def __init__(self, principal: Principal, visit: Appointment, revision: int) -> None:
        super().__init__(principal, visit, QueryDict())
        moves = visit.changes.select_related("old_practitioner").filter(change=AppointmentChange.Change.MOVED)
        moved = moves.filter(revision=revision).first()
        if moved is None or moved.old_practitioner is None:
            raise Http404
        self.revision = revision
        self.start, self.practitioner = moved.old_start, moved.old_practitioner

    def _move(self, start: datetime) -> Appointment:
        return services.move_back(principal=self.principal, visit=self.visit, revision=self.revision)

    def _words(self, refusal: services.BookingError) -> tuple[str, str]:
        if isinstance(refusal, services.WrongState):
            words = _("The visit has begun, is over, or was changed meanwhile.")
            return _("This move cannot be undone any more"), words
        return super()._words(refusal)


@dataclass(frozen=True)
class Moved:
    """A move just made: where the visit is now, and whether it can go back. Names no patient."""

    visit: Appointment
    can_go_back: bool
    words: str


def remember(session: SessionBase, visit: Appointment) -> None:
    """The next looks at the calendar in this session say that the visit was moved, and offer to take it back."""
    session[SESSION_MOVED] = [str(visit.pk), visit.revision]


def just_moved(principal: Principal, session: SessionBase, now: datetime) -> Moved | None:
    """The visit that was moved last in this session, for ``OFFERED_FOR`` and while it is as that move left it."""
    pk, revision = session.get(SESSION_MOVED, (None, None))
    visit = VISITS.filter(pk=pk, revision=revision, clinic=principal.clinic).first() if pk else None
    moved = visit.changes.filter(change=AppointmentChange.Change.MOVED, revision=revision).first() if visit else None
    if visit is None or moved is None or moved.old_start is None or now - moved.at > OFFERED_FOR:
        return None
    at = Clock(str(timezone.get_current_timezone()), page_language()).at(visit.start)
    said = moved_words(at, visit)
    return Moved(visit, visit.status == Appointment.Status.BOOKED and moved.old_start > now, said)


def places(page: CalendarPage, visit: Appointment) -> dict[str, list[list[str]]]:
    """Where on the page the visit may go: by column the values, places and words of all free times, in order."""
    zone = page.zone
    first, last = page.columns[0].day, page.columns[-1].day
    asked: dict[str, Any] = {
        "visit_type": visit.visit_type,
        "first_day": page.clinic_days[0],
        "last_day": page.clinic_days[1],
        "now": page.now,
        "instead_of": visit,
    }
    if page.who is None:
        found = free_slots_of_any(clinic=page.clinic, for_patient=False, **asked)
        starts = [(slot.start, slot.end, one.pk) for slot, people in found for one in people]
    else:
        slots = free_slots(practitioner=page.who, **asked)
        starts = [(slot.start, slot.end, page.who.pk) for slot in slots]
    by_column: dict[str, list[list[str]]] = {}
    for start, end, person in starts:
        day = start.astimezone(zone).date()
        place = page.sheet.place(day, start, end)
        if place and first <= day <= last:
            by_column.setdefault(f"{day}/{person}", []).append([value_of(start), place.css, _spoken(start, page)])
    return by_column


def _spoken(start: datetime, page: CalendarPage) -> str:
    local = start.astimezone(page.zone)
    return f"{words.weekday_words(local.date())}, {words.clock_time(local)}"


def move_of(request: HttpRequest, principal: Principal, visit: Appointment) -> Move:
    """What a drop, or the dialog's form, asks for."""
    return Move(principal, visit, request.POST if request.method == "POST" else request.GET)
