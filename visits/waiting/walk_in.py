"""The page on which staff put somebody into today's queue who comes without an appointment."""

from dataclasses import dataclass
from functools import cached_property

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Patient, Practitioner
from visits.booking import patients
from visits.booking import services as booking
from visits.booking.conflict import busy_words, inactive_words
from visits.booking.models import Appointment
from visits.booking.picker import Picker, chosen
from visits.booking.who import Who
from visits.schedule.models import SchedulePolicy, VisitType


@dataclass(frozen=True)
class Refusal:
    """Why nobody was put into the queue, in words, and what one press can do about it."""

    title: str
    text: str
    # The patient's visit that is in the way.
    visit: Appointment | None = None
    # The clinician who was asked for cannot: another may.
    may_be_any: bool = False
    may_book: bool = False
    # A new patient may be one of these.
    same: tuple[Patient, ...] = ()


class WalkInPage(Who, Picker):
    """Who it is, for what, with whom. The time is now, or the first that is free today."""

    refusal: Refusal | None = None

    @property
    def parts_url(self) -> str:
        return reverse("waiting:walk-in-check")

    @property
    def is_due(self) -> bool:
        return self.data.get("do") in {"book", "any"}

    @property
    def is_any(self) -> bool:
        """Whoever is free first: the usual choice of who sees nobody themselves."""
        wanted = chosen(self.practitioners, self.data.get("practitioner"))
        return self.data.get("do") == "any" or (wanted is None and ("practitioner" in self.data or self.own is None))

    @cached_property
    def visit_types(self) -> list[VisitType]:
        return list(booking.walk_in_types(self.clinic))

    @cached_property
    def practitioner(self) -> Practitioner | None:
        """None: any."""
        return None if self.is_any else chosen(self.practitioners, self.data.get("practitioner")) or self.own

    @cached_property
    def own(self) -> Practitioner | None:
        user = self.principal.user
        return next((row for row in self.practitioners if user and row.user_id == user.pk), None)

    @cached_property
    def closed(self) -> tuple[str, str] | None:
        """Why nobody can come without an appointment now, in words; None while they can."""
        if booking.takes_walk_ins(self.clinic, self.now):
            return None
        if not SchedulePolicy.of(self.clinic).walk_ins:
            words = _("The clinic has not turned on visits without an appointment. A clinic admin can.")
        else:
            words = _("The clinic is closed at this hour.")
        return _("Nobody can be added to the queue now"), words

    def submit(self) -> Appointment | None:
        """Put the patient into today's queue. None when something is missing or in the way: ``problems``, ``refusal``.

        Who was put there before by the same person is found there.
        """
        visit_type = chosen(self.visit_types, self.data.get("visit_type"))
        self.problems = self.who_is_missing()
        if visit_type is None:
            self.problems.append(("visit_type", _("Choose a visit type.")))
        if self.problems or visit_type is None:
            return None
        try:
            if self.patient is not None:
                return booking.walk_in(
                    principal=self.principal,
                    patient=self.patient,
                    visit_type=visit_type,
                    practitioner=self.practitioner,
                )
            return booking.walk_in_new_patient(
                principal=self.principal,
                details=self.newcomer.details(),
                visit_type=visit_type,
                practitioner=self.practitioner,
                despite_same=bool(self.data.get("despite_same")),
            )
        except booking.BookingError as error:
            self.refusal = self.refusal_of(error)
            if self.refusal.same:
                patients.note_found(self.refusal.same, principal=self.principal, request=self.request)
            return None

    def refusal_of(self, error: booking.BookingError) -> Refusal:
        """The refusal in words; one that this page knows no words for is raised again."""
        match error:
            case booking.Closed():
                title, text = self.closed or (_("Nobody can be added to the queue now"), "")
                return Refusal(title, text, may_book=True)
            case booking.NobodyFree():
                who = self.practitioner
                title = _("%(clinician)s has no time left today") % {"clinician": who.name} if who else ""
                text = _("Until the end of the hours everything is taken, or there are none today.")
                return Refusal(
                    title or _("Nobody has time left today"), text, may_be_any=who is not None, may_book=True
                )
            case booking.PatientBusy() if error.visit.status == Appointment.Status.ARRIVED:
                when = {"time": self.clock.at(error.visit.start).time, "clinician": error.visit.practitioner.name}
                text = _("For the visit at %(time)s with %(clinician)s.") % when
                return Refusal(_("The patient is in the queue already"), text, visit=error.visit)
            case booking.PatientBusy():
                return Refusal(*busy_words(error, self.clock), visit=error.visit)
            case booking.PatientInactive():
                return Refusal(*inactive_words())
            case booking.AlreadyKnown():
                text = _("A patient of this name and birth date is already known here.")
                return Refusal(_("Is it one of these patients?"), text, same=tuple(error.patients))
        raise error
