"""What can be done with a visit's time and state. Each verb is one transaction with its audit event."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Patient, Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking import patients
from visits.booking.access import appointment_for
from visits.booking.errors import AlreadyKnown, BookingError, NotAvailable, PatientBusy, SlotTaken, WrongState
from visits.booking.models import Appointment
from visits.booking.signals import appointment_changed
from visits.booking.times import free_slots, is_slot, nearest_free
from visits.schedule.models import VisitType

__all__ = [
    "AlreadyKnown",
    "BookingError",
    "NotAvailable",
    "PatientBusy",
    "SlotTaken",
    "WrongState",
    "arrive",
    "book",
    "book_new_patient",
    "cancel",
    "free_slots",
    "fulfil",
    "miss",
]

Status = Appointment.Status


def book(
    *, principal: Principal, practitioner: Practitioner, patient: Patient, visit_type: VisitType, start: datetime
) -> Appointment:
    """Book the slot that begins at ``start``; the very same booking made again returns the first one.

    Raises SlotTaken, PatientBusy, NotAvailable (not a slot of the clinician's hours, past, or no longer
    offered), Http404 for a clinician, patient or visit type of another clinic, PermissionDenied.
    """
    _may_book(principal)
    with transaction.atomic():
        practitioner = _lock(Practitioner, practitioner.pk, principal)
        patient = _lock(Patient, patient.pk, principal)
        if visit_type.clinic_id != principal.clinic.pk:
            raise Http404
        visit = Appointment(
            clinic=principal.clinic,
            practitioner=practitioner,
            patient=patient,
            visit_type=visit_type,
            start=start,
            end=start + timedelta(minutes=visit_type.minutes),
            created_by=principal.user,
        )
        already = _same_booking(visit)
        if already is not None:
            return already
        _check_offered(visit)
        _check_free(visit)
        _save(visit, force_insert=True)
        record("appointment.book", Audit.CREATE, principal=principal, entity=visit, patient=patient)
        _announce(visit, "booked", principal)
        return visit


def book_new_patient(
    *,
    principal: Principal,
    practitioner: Practitioner,
    visit_type: VisitType,
    start: datetime,
    details: patients.Details,
    despite_same: bool = False,
) -> Appointment:
    """Add a patient and book for them: both or neither. Sent twice, it books once and adds one patient.

    Raises what ``book`` and ``patients.add`` raise.
    """
    _may_book(principal)
    with transaction.atomic():
        # Before the look at who is known, so that the same form sent twice at once sees its first half.
        practitioner = _lock(Practitioner, practitioner.pk, principal)
        for known in patients.same_person(principal.clinic, details):
            visit = Appointment(
                practitioner=practitioner,
                patient=known,
                visit_type=visit_type,
                start=start,
                created_by=principal.user,
            )
            already = _same_booking(visit)
            if already is not None:
                return already
        patient = patients.add(principal=principal, details=details, despite_same=despite_same)
        return book(principal=principal, practitioner=practitioner, patient=patient, visit_type=visit_type, start=start)


def cancel(*, principal: Principal | None, visit: Appointment, reason: str = "") -> Appointment:
    """Cancel a visit that has not taken place; its time is free again. People are told by who listens.

    Cancelling a cancelled visit changes nothing. Raises WrongState, and Http404 for who may not.
    """
    return _move(principal, visit, Status.CANCELLED, (Action.VISIT_CHANGE,), cancelation_reason=reason.strip()[:200])


def arrive(*, principal: Principal | None, visit: Appointment) -> Appointment:
    """Note that the patient is here; also after they were given up as missed, if the time is still free.

    Arriving twice changes nothing. Raises WrongState, SlotTaken or PatientBusy (a missed visit whose
    time was given away), and Http404 for who may not: only the patient and staff.
    """
    return _move(principal, visit, Status.ARRIVED, (Action.VISIT_CHECK_IN, Action.VISIT_CHANGE))


def fulfil(*, principal: Principal | None, visit: Appointment) -> Appointment:
    """Note that the visit took place. Raises WrongState when the patient never arrived, Http404 for who may not."""
    return _move(principal, visit, Status.FULFILLED, (Action.VISIT_END,))


def miss(*, principal: Principal | None, visit: Appointment) -> Appointment:
    """Note that the patient did not come; the time is free again. Raises WrongState, Http404 for who may not."""
    return _move(principal, visit, Status.NOSHOW, (Action.VISIT_CHANGE,))


AUDIT_SUBTYPES = {
    Status.CANCELLED: "appointment.cancel",
    Status.ARRIVED: "appointment.arrive",
    Status.FULFILLED: "appointment.fulfil",
    Status.NOSHOW: "appointment.miss",
}


def _move(
    principal: Principal | None,
    visit: Appointment,
    status: Appointment.Status,
    actions: tuple[Action, ...],
    **also: Any,
) -> Appointment:
    """Bring the visit into ``status`` under its row's lock, once. ``principal`` None is the system itself."""
    with transaction.atomic():
        visit = _locked(principal, visit, actions)
        if visit.status == status:
            return visit
        if not visit.may_become(status):
            raise WrongState(visit)
        before, visit.status = visit.status, status
        for name, value in also.items():
            setattr(visit, name, value)
        if status == Status.CANCELLED:
            visit.revision += 1
        if before not in Appointment.ACTIVE and status in Appointment.ACTIVE:
            _lock(Practitioner, visit.practitioner_id, visit)
            _lock(Patient, visit.patient_id, visit)
            _check_free(visit)
        _save(visit, update_fields=["status", "revision", *also])
        record(
            AUDIT_SUBTYPES[status],
            Audit.UPDATE,
            principal=principal,
            clinic=visit.clinic,
            entity=visit,
            patient=visit.patient,
            detail={"from": before},
        )
        _announce(visit, status.value, principal)
        return visit


def _locked(principal: Principal | None, visit: Appointment, actions: tuple[Action, ...]) -> Appointment:
    if principal is None:
        rows = Appointment.objects.select_related("clinic", "practitioner", "patient", "visit_type")
        return rows.select_for_update(of=("self",)).get(pk=visit.pk)
    action = next((action for action in actions if principal.may(action)), actions[0])
    return appointment_for(principal, visit.pk, action, lock=True)


def _may_book(principal: Principal) -> None:
    if not principal.may(Action.VISIT_BOOK):
        raise PermissionDenied


def _lock(model: Any, pk: Any, of: Principal | Appointment) -> Any:
    """Hold a person's row, so that who books for the same person waits instead of colliding.

    Two inserts that collide in an exclusion constraint wait for each other, and PostgreSQL ends one
    as a deadlock after a second. Always the practitioner first, then the patient. ``no_key``: rows
    that merely refer to the person need not wait.
    """
    row = model.objects.select_for_update(no_key=True).filter(pk=pk, clinic_id=of.clinic.pk).first()
    if row is None:
        raise Http404
    return row


def _same_booking(visit: Appointment) -> Appointment | None:
    """This booking, made before by the same person: the button was pressed twice."""
    return Appointment.objects.filter(
        practitioner=visit.practitioner,
        patient=visit.patient,
        visit_type=visit.visit_type,
        start=visit.start,
        created_by=visit.created_by,
        status__in=(Status.BOOKED, Status.ARRIVED),
    ).first()


def _check_offered(visit: Appointment) -> None:
    offered = visit.practitioner.is_active and visit.visit_type.is_active and visit.start >= timezone.now()
    if not offered or not is_slot(practitioner=visit.practitioner, visit_type=visit.visit_type, start=visit.start):
        raise NotAvailable(_nearest(visit))


def _check_free(visit: Appointment) -> None:
    """Raise SlotTaken or PatientBusy if an active visit overlaps."""
    overlapping = Appointment.objects.exclude(pk=visit.pk).filter(
        status__in=Appointment.ACTIVE, start__lt=visit.end, end__gt=visit.start
    )
    if overlapping.filter(practitioner=visit.practitioner).exists():
        raise SlotTaken(_nearest(visit))
    other = overlapping.filter(patient=visit.patient).select_related("practitioner", "patient").first()
    if other is not None:
        raise PatientBusy(other)


def _nearest(visit: Appointment) -> list[Any]:
    if not (visit.practitioner.is_active and visit.visit_type.is_active):
        return []
    return list(nearest_free(practitioner=visit.practitioner, visit_type=visit.visit_type, wanted=visit.start))


def _save(visit: Appointment, **how: Any) -> None:
    """Save; the database's own refusal of an overlap becomes SlotTaken or PatientBusy."""
    try:
        with transaction.atomic():
            visit.save(**how)
    except IntegrityError:
        _check_free(visit)
        raise


def _announce(visit: Appointment, change: str, principal: Principal | None) -> None:
    appointment_changed.send(sender=Appointment, appointment=visit, change=change, principal=principal)
