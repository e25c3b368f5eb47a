"""The patient's link, for whom no message reaches or who stands at the desk: shown to staff, to hand over."""

from django.db import transaction
from django.http import Http404

from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.reminders.links import issue


def has_link(visit: Appointment) -> bool:
    """Whether there is anything to open: not of a visit that will not take place any more."""
    return visit.is_open


def hand_out(*, principal: Principal, visit: Appointment) -> str:
    """A new link that opens the visit for its patient, who is asked for the birth date; it cannot be had again.

    Raises Http404 for a visit that has none, and for who may not.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_INVITE, lock=True)
        if not has_link(visit):
            raise Http404
        return issue(visit, created_by=principal.user)[1]
