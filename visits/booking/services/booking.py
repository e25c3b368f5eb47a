"""Booking a visit for a patient of the clinic."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from accounts.models import Patient, Practitioner
from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.errors import NotAvailable, PatientInactive
from visits.booking.models import Appointment, AppointmentSeries, Hold
from visits.booking.services import checks, holds
from visits.booking.services.history import Change, note
from visits.booking.services.locks import lock_patient, lock_practitioner
from visits.schedule.models import VisitType

Status = Appointment.Status
Origin = Appointment.Origin


def book(
    *,
    principal: Principal | None,
    practitioner: Practitioner,
    patient: Patient,
    visit_type: VisitType,
    start: datetime,
    hold: Hold | None = None,
    origin: Appointment.Origin = Origin.STAFF,
    follow_up_of: Appointment | None = None,
    series: AppointmentSeries | None = None,
) -> Appointment:
    """Book the slot that begins at ``start``; the very same booking made again returns the first one.

    ``principal`` None is the system itself. Online the type must be one that patients may book, and its notice and
    horizon bind. What is held by ``hold``, or by the same member of staff, counts as
    asked for when it was held; a hold that has expired or is somebody else's counts for nothing.

    Raises SlotTaken, PatientBusy, PatientInactive, NotAvailable (not a slot of the clinician's hours, past, or not
    offered), Http404 for what belongs to another clinic or patient, PermissionDenied.
    """
    may_book(principal)
    clinic = principal.clinic if principal else practitioner.clinic
    with transaction.atomic():
        practitioner = lock_practitioner(clinic, practitioner.pk)
        patient = lock_patient(clinic, patient.pk)
        if visit_type.clinic_id != clinic.pk or (follow_up_of and follow_up_of.patient_id != patient.pk):
            raise Http404
        already = same_booking(principal, practitioner, patient, visit_type, start)
        if already is not None:
            return already
        visit = Appointment(
            clinic=clinic,
            practitioner=practitioner,
            patient=patient,
            visit_type=visit_type,
            start=start,
            end=start + timedelta(minutes=visit_type.minutes),
            mode=visit_type.mode,
            origin=origin,
            series=series,
            follow_up_of=follow_up_of,
            created_by=principal.user if principal else None,
        )
        if origin == Origin.ONLINE and visit_type.booked_by != VisitType.BookedBy.PATIENT:
            raise NotAvailable(practitioner, visit_type, start)
        now = timezone.now()
        own = holds.own(hold, principal, visit, now)
        checks.check_offered(
            practitioner,
            visit_type,
            start,
            holds.asked_at(own, visit) or now,
            for_patient=origin == Origin.ONLINE,
        )
        take(visit, principal, now, own, role=Role.PATIENT if origin == Origin.ONLINE else None)
        return visit


def take(
    visit: Appointment,
    principal: Principal | None,
    now: datetime,
    own: Iterable[Hold] = (),
    *,
    role: Role | None = None,
) -> None:
    """Write a new visit where nothing is in the way. Under both locks. ``role`` as for ``history.note``.

    Raises SlotTaken, PatientBusy, PatientInactive.
    """
    if not visit.patient.is_active:
        raise PatientInactive
    checks.check_free(visit, now, own)
    checks.save(visit, force_insert=True)
    note(visit, Change.BOOKED, principal, role=role)


def may_book(principal: Principal | None) -> None:
    """Raise PermissionDenied for who may not; the system may."""
    if principal is not None and not principal.may(Action.VISIT_BOOK):
        raise PermissionDenied


def same_booking(
    principal: Principal | None, practitioner: Practitioner, patient: Patient, visit_type: VisitType, start: datetime
) -> Appointment | None:
    """This booking, made before by the same person: the button was pressed twice."""
    return Appointment.objects.filter(
        practitioner=practitioner,
        patient=patient,
        visit_type=visit_type,
        start=start,
        created_by=principal.user if principal else None,
        status__in=(Status.BOOKED, Status.ARRIVED),
    ).first()
