"""A change of a visit becomes a row of its history and an audit event, and is announced: in this order, always."""

from datetime import datetime
from typing import Any

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Practitioner
from accounts.policy import Role
from accounts.principal import Principal
from visits.booking.models import Appointment, AppointmentChange
from visits.booking.signals import appointment_changed

Change = AppointmentChange.Change

AUDIT_SUBTYPES = {
    Change.BOOKED: "appointment.book",
    Change.MOVED: "appointment.move",
    Change.CANCELLED: "appointment.cancel",
    Change.ARRIVED: "appointment.arrive",
    Change.FULFILLED: "appointment.fulfil",
    Change.NOSHOW: "appointment.miss",
}


def note(
    visit: Appointment,
    change: AppointmentChange.Change,
    principal: Principal | None,
    *,
    role: Role | None = None,
    old: tuple[datetime, datetime, Practitioner] | None = None,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Call it in the transaction of the change, when that is saved.

    ``role``: without a principal, whose wish it was; None for the system itself. ``old`` is from when to when, and
    with whom, a moved visit was.
    """
    old_start, old_end, old_practitioner = old or (None, None, None)
    AppointmentChange.objects.create(
        appointment=visit,
        change=change,
        by=principal.user if principal else None,
        role=(principal.role if principal else role) or "",
        revision=visit.revision,
        start=visit.start,
        practitioner=visit.practitioner,
        old_start=old_start,
        old_practitioner=old_practitioner,
        reason=reason,
    )
    record(
        AUDIT_SUBTYPES[change],
        Audit.CREATE if change == Change.BOOKED else Audit.UPDATE,
        principal=principal,
        clinic=visit.clinic,
        entity=visit,
        patient=visit.patient,
        detail=detail,
    )
    appointment_changed.send(
        sender=Appointment, appointment=visit, change=change.value, principal=principal, old_end=old_end
    )
