"""The booking page: what has been chosen so far, what there is to choose from, what went wrong."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Practitioner
from visits.booking import patients, services
from visits.booking.conflict import Conflict, conflict_of, nobody_free
from visits.booking.models import Appointment
from visits.booking.picker import Picker, as_uuid
from visits.booking.repeat import Repeat
from visits.booking.who import Who
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment


class BookPage(Who, Picker):
    """Who is to be seen, and the booking itself."""

    @property
    def parts_url(self) -> str:
        return reverse("booking:slots")

    # --- who ----------------------------------------------------------------------------------

    def usual_patient(self) -> str:
        return str(self.follows.patient_id) if self.follows else ""

    @cached_property
    def follows(self) -> Appointment | None:
        """The finished visit after which this one is booked: its patient, clinician and type are the usual ones."""
        pk = as_uuid(self.data.get("follow_up_of", ""))
        finished = Appointment.objects.filter(clinic=self.clinic, status=Appointment.Status.FULFILLED)
        return finished.filter(pk=pk).first() if pk else None

    # --- with whom, for what ------------------------------------------------------------------

    def usual_practitioner(self) -> Practitioner | None:
        before = self.follows.practitioner_id if self.follows else None
        return next((row for row in self.practitioners if row.pk == before), None) or super().usual_practitioner()

    def usual_visit_type(self) -> VisitType | None:
        before = self.follows.visit_type_id if self.follows else None
        return next((row for row in self.visit_types if row.pk == before), None) or super().usual_visit_type()

    @cached_property
    def repeat(self) -> Repeat:
        return Repeat(self)

    # --- what the card says -------------------------------------------------------------------

    @property
    def to_book(self) -> list[tuple[Moment, Moment | None]]:
        """Each time that is to be booked; beside it what the patient's clock shows then, where that differs."""
        if self.repeat.rows:
            chosen = [self.clock.at(start) for start in self.repeat.starts]
        else:
            chosen = [self.start] if self.start else []
        return [(when, self._patients_clock(when)) for when in chosen]

    def _patients_clock(self, when: Moment) -> Moment | None:
        if self.patient is None or not self.patient.time_zone:
            return None
        theirs = Moment(when.instant, self.patient.time_zone, self.clock.language)
        return None if theirs.is_same_clock(when) else theirs

    # --- booking ------------------------------------------------------------------------------

    def submit(self) -> Appointment | None:
        """Book what was chosen; of a series returns the first visit.

        None when something is missing or in the way: ``problems``, ``conflict``.
        """
        self.problems = self._missing()
        if self.problems or self.visit_type is None or self.wanted_start is None:
            return None
        if self.repeat.is_on and not self.repeat.rows:  # its first time is not shown any more: a series of none
            self.conflict = self._gone(self.visit_type, self.wanted_start)
            return None
        starts = self.repeat.starts if self.repeat.is_on else [self.wanted_start]
        for practitioner in self.takers if self.is_any else [self.practitioner]:
            try:
                return self._book(practitioner, self.visit_type, starts) if practitioner else None
            except services.BookingError as refusal:
                self.conflict = conflict_of(refusal, wanted=self.wanted_start, clock=self.clock)
                self.repeat = Repeat(self)  # the list shows what is free now
                if isinstance(refusal, services.SlotTaken):
                    continue
                if self.conflict.same:
                    patients.note_found(self.conflict.same, principal=self.principal, request=self.request)
                return None
        self.conflict = self.conflict or nobody_free(self.times.free, wanted=self.wanted_start, clock=self.clock)
        return None

    def _gone(self, visit_type: VisitType, wanted: datetime) -> Conflict:
        """What stands at a time that is not shown as free any more, also where it would still be booked alone."""
        if self.practitioner is None:
            return nobody_free(self.times.free, wanted=wanted, clock=self.clock)
        refusal = services.SlotTaken if self.lost else services.NotAvailable
        return conflict_of(refusal(self.practitioner, visit_type, wanted), wanted=wanted, clock=self.clock)

    def _book(self, practitioner: Practitioner, visit_type: VisitType, starts: Sequence[datetime]) -> Appointment:
        if self.patient is None:
            return services.book_new_patient(
                principal=self.principal,
                practitioner=practitioner,
                visit_type=visit_type,
                start=starts[0],
                details=self.newcomer.details(),
                despite_same=bool(self.data.get("despite_same")),
                hold=self.held,
                later=starts[1:],
                weeks=self.repeat.weeks,
            )
        follows = self.follows if self.follows and self.follows.patient_id == self.patient.pk else None
        if len(starts) > 1:
            return services.book_series(
                principal=self.principal,
                practitioner=practitioner,
                patient=self.patient,
                visit_type=visit_type,
                starts=starts,
                weeks=self.repeat.weeks,
                hold=self.held,
                follow_up_of=follows,
            )[0]
        return services.book(
            principal=self.principal,
            practitioner=practitioner,
            patient=self.patient,
            visit_type=visit_type,
            start=starts[0],
            hold=self.held,
            follow_up_of=follows,
        )

    def _missing(self) -> list[tuple[str, str]]:
        problems = [*self.who_is_missing(), *self.missing()]
        if self.repeat.rows and not self.repeat.is_seen:
            problems.append(("repeat", _("Look through the visits of the series, then book.")))
        elif self.repeat.lost:
            problems.append(("repeat", self.repeat.lost))
        elif self.repeat.rows and not self.repeat.starts:
            problems.append(("repeat", _("Tick at least one visit of the series.")))
        return problems


def page_of(request: HttpRequest) -> BookPage:
    """The page as the request's form or address describes it. Needs a request that has passed a door."""
    data = request.POST if request.method == "POST" else request.GET
    return BookPage(request, data)  # type: ignore[arg-type]
