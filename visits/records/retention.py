"""What is kept no longer: found by the clinic's rules, shown before it goes, taken in small transactions.

Nothing of a patient under a legal hold is touched; the database refuses the worst of it besides.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.keys.rows import batches
from accounts.models import Clinic, Patient
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn
from visits.records.errors import RecordError
from visits.records.models import LegalHold, RetentionRule
from visits.records.parts import blanked, deleted
from visits.records.policies import OF_AGE, Subject
from visits.records.services import erasure
from visits.records.services.activity import OPEN
from visits.reminders.models import Communication
from visits.room.models import LineMinute
from visits.waitlist.models import WaitlistEntry

BATCH = 500
PATIENT_ITSELF = "pk"
Rows = QuerySet[Any]


@dataclass(frozen=True)
class Due:
    """What of one kind is over its time in one clinic."""

    clinic: Clinic
    subject: Subject
    days: int
    rows: int
    oldest: datetime | None
    on_hold: int  # rows that stay because of a legal hold


@dataclass(frozen=True)
class Kind:
    """``rows`` are a clinic's of before a time, with ``age``; ``patient`` is the lookup from a row to its patient.

    ``take`` leaves none of them; patients are erased.
    """

    rows: Callable[[Clinic, datetime], Rows]
    age: str
    patient: str
    take: Callable[[Rows], object] = deleted


def _old_records(clinic: Clinic, before: datetime) -> Rows:
    today = timezone.localdate()
    grown = today.replace(year=today.year - OF_AGE, day=min(today.day, 28))
    still_open = Appointment.objects.filter(patient=OuterRef("pk"), status__in=OPEN)
    people = Patient.objects.filter(~Exists(still_open), clinic=clinic, erased_at=None, birth_date__lt=grown)
    return people.annotate(last=Max("appointments__end")).filter(last__lt=before)


def _newcomers(clinic: Clinic, before: datetime) -> Rows:
    return Patient.objects.filter(clinic=clinic, erased_at=None, appointments=None, created_at__lt=before)


def _check_ins(clinic: Clinic, before: datetime) -> Rows:
    rows = CheckIn.objects.filter(appointment__clinic=clinic, appointment__end__lt=before)
    return rows.exclude(callback_phone="", location="", emergency_contact="")


def _addresses(clinic: Clinic, before: datetime) -> Rows:
    State = Communication.State
    rows = Communication.objects.filter(patient__clinic=clinic, planned_at__lt=before)
    return rows.exclude(state__in=(State.PLANNED, State.CLAIMED)).exclude(address="", provider_id="")


def _wishes(clinic: Clinic, before: datetime) -> Rows:
    return WaitlistEntry.objects.filter(appointment__clinic=clinic, ended_at__lt=before)


def _lines(clinic: Clinic, before: datetime) -> Rows:
    return LineMinute.objects.filter(seat__encounter__appointment__clinic=clinic, minute__lt=before)


KINDS = {
    Subject.RECORD: Kind(_old_records, "last", PATIENT_ITSELF),
    Subject.NEWCOMER: Kind(_newcomers, "created_at", PATIENT_ITSELF),
    Subject.CHECK_IN: Kind(
        _check_ins,
        "appointment__end",
        "appointment__patient",
        blanked("callback_phone", "location", "emergency_contact"),
    ),
    Subject.ADDRESS: Kind(_addresses, "planned_at", "patient", blanked("address", "address_hash", "provider_id")),
    Subject.WISH: Kind(_wishes, "ended_at", "appointment__patient"),
    Subject.LINE: Kind(_lines, "minute", "seat__encounter__appointment__patient"),
}


def find(now: datetime | None = None) -> Iterator[Due]:
    """What is over its time, for each clinic and kind; nothing changes."""
    for clinic in Clinic.objects.order_by("name"):
        for subject, kind in KINDS.items():
            days, rows = _due(clinic, subject, kind, now or timezone.now())
            free, held = rows.filter(~_held(kind)), rows.filter(_held(kind))
            oldest = free.order_by(kind.age).values_list(kind.age, flat=True).first()
            yield Due(clinic, subject, days, free.count(), oldest, held.count())


def run(now: datetime | None = None) -> Iterator[Due]:
    """Take what ``find`` finds, a batch a transaction; tells of each kind how many rows went. The trail has it, too."""
    for due in find(now):
        kind = KINDS[due.subject]
        _days, rows = _due(due.clinic, due.subject, kind, now or timezone.now())
        gone = sum(_take(kind, found) for found in batches(rows.filter(~_held(kind)), BATCH)) if due.rows else 0
        if gone:
            detail = {"subject": due.subject.value, "rows": gone, "days": due.days}
            record("retention.run", Audit.DELETE, clinic=due.clinic, detail=detail)
        yield replace(due, rows=gone)


def _due(clinic: Clinic, subject: Subject, kind: Kind, now: datetime) -> tuple[int, Rows]:
    days = RetentionRule.days_of(clinic, subject)
    return days, kind.rows(clinic, now - timedelta(days=days))


def _held(kind: Kind) -> Exists:
    return Exists(LegalHold.objects.filter(patient=OuterRef(kind.patient), ended_at=None))


def _take(kind: Kind, found: list[Any]) -> int:
    if kind.patient == PATIENT_ITSELF:
        return sum(_erase(patient) for patient in found)
    rows = type(found[0])._default_manager.filter(pk__in=[row.pk for row in found])
    with transaction.atomic():
        # Who orders a hold takes the patient's row, too: what was ordered before is seen, what comes after waits.
        people = Patient.objects.filter(pk__in=rows.values(kind.patient))
        list(people.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        free = type(found[0])._default_manager.filter(pk__in=rows.filter(~_held(kind)).values_list("pk", flat=True))
        count: int = free.count()
        kind.take(free)
        return count


def _erase(patient: Patient) -> int:
    try:
        erasure.erase(principal=None, patient=patient)
    except RecordError:  # booked again, held or erased meanwhile
        return 0
    return 1
