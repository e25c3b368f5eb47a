"""Erasing a patient: the row stays, for the visits and the trail that refer to it, and names nobody any more.

What has to be kept is kept: when visits were and what became of them, agreements, the audit trail. What has no reader
left goes at once where there is nothing clinical, else after the clinic's time for records.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.functional import Promise

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Patient
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn, Consent
from visits.intake.models import QuestionnaireResponse
from visits.records import parts
from visits.records.access import lock_record, record_for
from visits.records.errors import Erased, OnHold, RecordError, StillBooked, TooEarly
from visits.records.models import RetentionRule
from visits.records.policies import OF_AGE, Subject
from visits.records.services import activity, holds
from visits.room.models import Encounter
from visits.summary.models import Composition

NO_DATE = date(1900, 1, 1)


@dataclass(frozen=True)
class Plan:
    """What an erasure would take, and what is in its way."""

    refusal: RecordError | None
    takes: list[tuple[Promise, int]]  # what, and of how many rows
    visits: int  # whose times are kept


def plan(*, principal: Principal, patient: Patient) -> Plan:
    """What would go if the record were erased now; nothing changes. Raises Http404 for who may not."""
    patient = record_for(principal, patient.pk, Action.RECORD_ERASE)
    takes = [(part.label, part.rows(patient).count()) for part in parts.PARTS]
    return Plan(refusal_of(patient), [one for one in takes if one[1]], patient.appointments.count())


def erase(*, principal: Principal | None, patient: Patient) -> Patient:
    """Take out of the record who it is of; None is the system, once the clinic's time for records is over.

    Raises Http404 for who may not, OnHold, StillBooked, TooEarly, Erased.
    """
    if principal is not None:
        patient = record_for(principal, patient.pk, Action.RECORD_ERASE)
    with transaction.atomic():
        patient = lock_record(patient)
        refusal = refusal_of(patient)
        if refusal is not None:
            raise refusal
        activity.close(patient, principal)
        # First: what was published for a patient the database lets go only with them.
        _blank(patient)
        count = 0
        for part in parts.PARTS:
            rows = part.rows(patient)
            count += rows.count()
            part.erase(rows)
        record(
            "patient.erase",
            Audit.DELETE,
            principal=principal,
            clinic=patient.clinic,
            entity=patient,
            patient=patient,
            detail={"rows": count},
        )
    return patient


def refusal_of(patient: Patient) -> RecordError | None:
    """Why the record cannot be erased now, if so."""
    if patient.erased_at is not None:
        return Erased()
    if holds.in_force(patient):
        return OnHold()
    if patient.appointments.filter(status__in=activity.OPEN).exists():
        return StillBooked()
    until = kept_until(patient) if has_clinical(patient) else None
    return TooEarly(until) if until and until > timezone.localdate() else None


def has_clinical(patient: Patient) -> bool:
    """Whether there is anything that a clinic must keep: care, an agreement to it, what was told before it."""
    visits = Appointment.objects.filter(patient=patient)
    return (
        visits.filter(status=Appointment.Status.FULFILLED).exists()
        or Encounter.objects.filter(appointment__in=visits).exists()
        or Composition.objects.filter(appointment__in=visits).exists()
        or QuestionnaireResponse.objects.filter(appointment__in=visits).exists()
        or Consent.objects.filter(patient=patient).exists()
        or CheckIn.objects.filter(appointment__in=visits, details_at__isnull=False).exists()
    )


def kept_until(patient: Patient) -> date:
    """The first day on which the clinic's time for records is over: after the last visit, and not before 21."""
    last = patient.appointments.aggregate(last=Max("end"))["last"] or patient.created_at
    after = last.date() + timedelta(days=RetentionRule.days_of(patient.clinic, Subject.RECORD))
    return max(after, born_until(patient.birth_date))


def born_until(born: date) -> date:
    """The birthday on which who was a child can be expected to have asked; February 29 counts as March 1."""
    try:
        return born.replace(year=born.year + OF_AGE)
    except ValueError:
        return date(born.year + OF_AGE, 3, 1)


def _blank(patient: Patient) -> None:
    patient.given_name = patient.family_name = parts.NOBODY
    patient.birth_date, patient.email, patient.phone, patient.time_zone = NO_DATE, "", "", ""
    patient.record_number = ""
    patient.erased_at = timezone.now()
    patient.save()
