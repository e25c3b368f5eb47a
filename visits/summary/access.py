"""Who may do what with a summary. Raises Http404 alike for all who may not."""

import uuid

from django.http import Http404

from accounts.models import AccessLink
from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.room.models import Presence
from visits.summary.models import Composition

PUBLISHED = Composition.objects.exclude(status=Composition.Status.PRELIMINARY)


def was_clinician_of(principal: Principal, visit: Appointment) -> bool:
    """Whether it was their appointment, or they were in the call as a clinician."""
    if principal.user is None:
        return False
    if visit.practitioner.user_id == principal.user.pk:
        return True
    there = Presence.objects.filter(seat__encounter__appointment=visit, seat__role=Role.CLINICIAN)
    return there.filter(seat__user=principal.user).exists()


def may_write(principal: Principal, visit: Appointment) -> bool:
    """A visit that took place has a summary, by who was its clinician."""
    took_place = visit.status == Appointment.Status.FULFILLED
    return took_place and principal.may(Action.SUMMARY_WRITE) and was_clinician_of(principal, visit)


def visit_to_write(principal: Principal, pk: uuid.UUID, *, lock: bool = False) -> Appointment:
    """The visit whose summary they may write; ``lock`` as in ``appointment_for``."""
    visit = appointment_for(principal, pk, Action.SUMMARY_WRITE, lock=lock)
    if not may_write(principal, visit):
        raise Http404
    return visit


def summary_for(principal: Principal, pk: uuid.UUID) -> Composition:
    """The newest published version of the summary that the patient's link opens, or that is of who is signed in.

    ``pk``: the id of its first.
    """
    if principal.patient is None or (principal.link and not _opens(principal.link, pk)):
        raise Http404
    newest = (
        PUBLISHED.filter(appointment__compositions=pk, appointment__clinic=principal.clinic)
        .filter(appointment__patient=principal.patient)
        .select_related("appointment__clinic", "appointment__patient__clinic", "appointment__practitioner")
        .order_by("-version")
        .first()
    )
    if newest is None or not principal.may(Action.SUMMARY_READ):
        raise Http404
    return newest


def _opens(link: AccessLink, pk: uuid.UUID) -> bool:
    return link.scope == AccessLink.Scope.SUMMARY and link.resource_id == pk
