"""Closing a patient's record for new visits, and opening it again. Nothing in it changes."""

from django.db import transaction
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.links import services as links
from accounts.models import AccessLink, Patient
from accounts.patients import services as accounts
from accounts.patients.bearers import bearers_of
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.models import Appointment
from visits.calendar.models import CalendarFeed
from visits.records.access import lock_record, record_for
from visits.records.errors import Erased, StillBooked
from visits.reminders.models import Communication

OPEN = (Appointment.Status.BOOKED, Appointment.Status.ARRIVED)


def deactivate(*, principal: Principal, patient: Patient) -> None:
    """Book nothing more for the patient; their links and feeds open nothing from now on. Twice changes nothing.

    Raises Http404 for who may not, StillBooked.
    """
    with transaction.atomic():
        patient = lock_record(record_for(principal, patient.pk, Action.RECORD_ERASE))
        if patient.is_active:
            close(patient, principal)
            record("patient.deactivate", Audit.UPDATE, principal=principal, entity=patient, patient=patient)


def reactivate(*, principal: Principal, patient: Patient) -> None:
    """Visits can be booked again; links that ended stay ended. Raises Http404 for who may not, Erased."""
    with transaction.atomic():
        patient = lock_record(record_for(principal, patient.pk, Action.RECORD_ERASE))
        if patient.erased_at is not None:
            raise Erased
        if not patient.is_active:
            patient.deactivated_at = None
            patient.save(update_fields=["deactivated_at"])
            record("patient.activate", Audit.UPDATE, principal=principal, entity=patient, patient=patient)


def close(patient: Patient, principal: Principal | None) -> None:
    """End what opens anything to the patient or goes to them. Under the record's lock. Raises StillBooked."""
    visits = Appointment.objects.filter(patient=patient)
    if visits.filter(status__in=OPEN).exists():
        raise StillBooked
    now = timezone.now()
    if patient.is_active:
        patient.deactivated_at = now
        patient.save(update_fields=["deactivated_at"])
    live = AccessLink.objects.filter(resource_id__in=visits.values("pk"), revoked_at=None, expires_at__gt=now)
    for resource_id in sorted(set(live.values_list("resource_id", flat=True))):
        links.revoke_all(resource_id=resource_id, principal=principal)
    for bearer in bearers_of(patient):
        accounts.end_account(bearer, why="record", principal=principal)
    CalendarFeed.objects.filter(patient=patient, revoked_at=None).update(revoked_at=now)
    waiting = Communication.objects.filter(patient=patient, state=Communication.State.PLANNED)
    waiting.update(state=Communication.State.SUPPRESSED, reason=Communication.Reason.NOT_NEEDED)
