"""What becomes of a visit: cancelled, arrived, fulfilled, missed."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.errors import WrongState
from visits.booking.models import Appointment
from visits.booking.services import checks
from visits.booking.services.history import Change, note
from visits.booking.services.locks import lock_patient, lock_practitioner, lock_visit

Status = Appointment.Status


def cancel(
    *, principal: Principal | None, visit: Appointment, reason: str = "", role: Role | None = None
) -> Appointment:
    """Cancel a visit that has not taken place; its time is free again. People are told by who listens.

    ``role``: without a principal, who asked for it by a message; the history says so. Cancelling a cancelled visit
    changes nothing. Raises WrongState, TooLate for the patient themselves after the clinic's notice, and Http404 for
    who may not.
    """
    reason = reason.strip()[:200]
    return _become(
        principal,
        visit,
        Status.CANCELLED,
        (Action.VISIT_CHANGE, Action.VISIT_CHANGE_OWN),
        reason=reason,
        role=role,
        cancelation_reason=reason,
    )


def arrive(*, principal: Principal | None, visit: Appointment) -> Appointment:
    """Note that the patient is here; also after they were given up as missed, if the time is still free.

    Arriving twice changes nothing. Raises WrongState, SlotTaken or PatientBusy (a missed visit whose
    time was given away), and Http404 for who may not: only the patient and staff.
    """
    return _become(principal, visit, Status.ARRIVED, (Action.VISIT_CHECK_IN, Action.VISIT_CHANGE))


def fulfil(*, principal: Principal | None, visit: Appointment) -> Appointment:
    """Note that the visit took place. Raises WrongState when the patient never arrived, Http404 for who may not."""
    return _become(principal, visit, Status.FULFILLED, (Action.VISIT_END,))


def miss(*, principal: Principal | None, visit: Appointment) -> Appointment:
    """Note that the patient did not come; the time is free again. Raises WrongState, Http404 for who may not."""
    return _become(principal, visit, Status.NOSHOW, (Action.VISIT_CHANGE,))


def _become(
    principal: Principal | None,
    visit: Appointment,
    status: Appointment.Status,
    actions: tuple[Action, ...],
    reason: str = "",
    role: Role | None = None,
    **also: Any,
) -> Appointment:
    """Bring the visit into ``status`` under its row's lock, once. ``principal`` None is the system itself."""
    with transaction.atomic():
        visit = lock_visit(principal, visit, actions)
        if visit.status == status:
            return visit
        if not visit.may_become(status):
            raise WrongState(visit)
        if status == Status.CANCELLED and principal is not None and not principal.is_staff_member:
            checks.check_notice(visit)
        before, visit.status = visit.status, status
        for name, value in also.items():
            setattr(visit, name, value)
        if status == Status.CANCELLED:
            visit.revision += 1
        if before not in Appointment.ACTIVE and status in Appointment.ACTIVE:
            lock_practitioner(visit.clinic, visit.practitioner_id)
            lock_patient(visit.clinic, visit.patient_id)
            checks.check_free(visit, timezone.now())
            # What is kept free around it is set anew with its times.
            also |= {"start": visit.start, "end": visit.end}
        checks.save(visit, update_fields=["status", "revision", *also])
        note(visit, Change(status.value), principal, role=role, reason=reason, detail={"from": before})
        return visit
