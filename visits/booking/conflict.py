"""Why a visit cannot be booked or moved as asked, in words, and what to take instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Patient
from visits.booking import services
from visits.booking.days import Clock, near
from visits.schedule.slots import Slot, nearest


@dataclass(frozen=True)
class Conflict:
    """What stands at the top of the page."""

    title: str
    text: str
    times: Sequence[tuple[str, str]] = ()
    same: Sequence[Patient] = ()


def conflict_of(refusal: services.BookingError, *, wanted: datetime | None, clock: Clock) -> Conflict:
    """The refusal in words, where ``wanted`` is the time that was chosen; one without words is raised again."""
    match refusal:
        case services.SlotTaken():
            named, of_another = _("%(time)s was just taken"), _("%(day)s, %(time)s was just taken")
            text = _("Someone booked it a moment ago. Everything you typed is still here.")
        case services.NotAvailable():
            named = _("%(time)s cannot be booked any more")
            of_another = _("%(day)s, %(time)s cannot be booked any more")
            text = _("The time is past, or the hours have changed. Everything you typed is still here.")
        case services.PatientBusy():
            return Conflict(*busy_words(refusal, clock))
        case services.PatientInactive():
            return Conflict(*inactive_words())
        case services.AlreadyKnown():
            return Conflict(
                _("Is it one of these patients?"),
                _("A patient of this name and birth date is already known here."),
                same=refusal.patients,
            )
        case _:
            raise refusal
    moment = clock.at(refusal.start)
    if refusal.start != wanted:  # a later one of a series: its own row offers another time
        return Conflict(of_another % {"day": moment.short_day, "time": moment.time}, text)
    return Conflict(named % {"time": moment.clock}, text, near(refusal.nearest, refusal.start, clock))


def nobody_free(free: Sequence[Slot], *, wanted: datetime, clock: Clock) -> Conflict:
    """Of any clinician, none is free at the chosen time; ``free`` is when one is."""
    return Conflict(
        _("%(time)s was just taken") % {"time": clock.at(wanted).clock},
        _("Someone booked it a moment ago. Everything you typed is still here."),
        near(nearest(free, wanted), wanted, clock),
    )


def inactive_words() -> tuple[str, str]:
    """That nothing is booked for the patient any more."""
    return _("This patient takes no visits any more"), _("A clinic admin can open their record for visits again.")


def busy_words(refusal: services.PatientBusy, clock: Clock) -> tuple[str, str]:
    """That the patient has another visit then, and which."""
    other = clock.at(refusal.visit.start)
    text = _("%(name)s already has a visit at that time, %(time)s with %(clinician)s.") % {
        "name": refusal.visit.patient.given_name,
        "time": f"{other.short_weekday} {other.time}",
        "clinician": refusal.visit.practitioner.name,
    }
    return _("The patient is busy then"), text
