"""Visits by phone: nobody waits in a room. Staff call, and say when it took place."""

from django.db import transaction
from django.utils import timezone

from accounts.links.services import revoke_all
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking import services as booking
from visits.booking.access import appointment_for
from visits.booking.errors import WrongState
from visits.booking.models import Appointment
from visits.checkin.services import line_opens_at
from visits.schedule.models import VisitType

Status = Appointment.Status


def is_call(visit: Appointment) -> bool:
    """Whether the visit takes place by phone."""
    return visit.mode == VisitType.Mode.PHONE


def number_of(visit: Appointment) -> str:
    """Where staff call the patient: the number they gave for this visit, else that on file; empty when none."""
    check_in = getattr(visit, "check_in", None)
    return (check_in.callback_phone if check_in else "") or visit.patient.phone


def may_have_taken_place(visit: Appointment) -> bool:
    """Whether a visit by phone that nobody has closed may be over by now: staff may call some minutes early."""
    return is_call(visit) and visit.is_open and line_opens_at(visit) <= timezone.now()


def finish_call(*, principal: Principal, visit: Appointment) -> Appointment:
    """Note that the patient was called and the visit took place; its links end. Noted twice, nothing changes.

    Also of a patient who was given up as missed and reached after all. Raises WrongState for a visit by video, before
    the line of its time opens, and for one that was cancelled; booking's errors when the time of a missed visit was
    given away; Http404 for who may not end visits.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_END, lock=True)
        if is_call(visit) and visit.status == Status.FULFILLED:
            return visit
        if not (may_have_taken_place(visit) or (is_call(visit) and visit.status == Status.NOSHOW)):
            raise WrongState(visit)
        booking.arrive(principal=principal, visit=visit)
        visit = booking.fulfil(principal=principal, visit=visit)
        revoke_all(resource_id=visit.pk, principal=principal)
        return visit
