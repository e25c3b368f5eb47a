"""The one door to a visit, and the note of who looked in."""

import uuid

from django.http import Http404

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest
from accounts.policy import Action
from accounts.principal import OwnLinkNeeded, Principal
from visits.booking.models import Appointment

VISITS = Appointment.objects.select_related("clinic", "practitioner", "patient__clinic", "visit_type")


def appointment_for(principal: Principal, pk: uuid.UUID | str, action: Action, *, lock: bool = False) -> Appointment:
    """Return the visit if ``principal`` may do ``action`` with it.

    ``lock`` takes the row for the rest of the transaction. Raises Http404 alike for a visit that
    does not exist, of another clinic, of another patient, and for a role that may not: a stranger
    learns nothing, not even that it exists. OwnLinkNeeded, one of them, for the patient of the visit where staff have
    seen the link.
    """
    if lock:
        lock_row(pk)
    visit = VISITS.filter(pk=pk, clinic_id=principal.clinic.pk).first()
    if visit is None:
        raise Http404
    if principal.link is not None and principal.link.resource_id != visit.pk:
        raise Http404
    if principal.account is not None and principal.account.subject != visit.patient:
        raise Http404
    if not principal.may(action):
        raise OwnLinkNeeded if principal.needs_own_link(action) else Http404
    return visit


def note_look(request: PrincipalRequest, visit: Appointment) -> None:
    """Record that who asks is shown whose visit it is. For pages of staff: patients' looks are their link's."""
    record("visit.view", Audit.READ, principal=request.principal, entity=visit, patient=visit.patient, request=request)


def lock_row(pk: uuid.UUID | str) -> None:
    """Take the visit's row, if there is one, for the rest of the transaction.

    By itself and read afterwards: PostgreSQL drops a row out of a join that it waited for, when meanwhile the row
    was moved to another clinician.
    """
    Appointment.objects.select_for_update(no_key=True).filter(pk=pk).values("pk").first()
