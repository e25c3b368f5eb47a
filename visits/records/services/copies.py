"""Copies of records: asked for, made by a worker, fetched once within a week. Each step is on the trail."""

import uuid
from base64 import b64decode, b64encode
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Clinic, Patient
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.records.access import record_for
from visits.records.errors import Erased, NotOpen
from visits.records.making import copy_of
from visits.records.models import RecordCopy
from visits.records.tasks import make_copy

State = RecordCopy.State
COPIES = RecordCopy.objects.select_related("patient__clinic", "asked_by", "made_for").defer("content")

KEPT_FOR = timedelta(days=7)
# A worker that has said nothing for so long is dead; who takes over begins anew.
SILENT_AFTER = timedelta(minutes=15)


def order(*, principal: Principal, patient: Patient, reason: str) -> RecordCopy:
    """Have a copy made, for ``reason``; what the patient has asked for is answered by it.

    While one is under way it is that one. Raises Http404 for who may not, Erased.
    """
    with transaction.atomic():
        patient = _lock(record_for(principal, patient.pk, Action.RECORD_EXPORT))
        if patient.erased_at is not None:
            raise Erased
        copy = COPIES.filter(patient=patient, state__in=RecordCopy.UNDER_WAY).order_by("-asked_at").first()
        if copy is not None and copy.state != State.ASKED:
            return copy
        copy = copy or RecordCopy(patient=patient, asked_by=principal.user)
        copy.state, copy.reason, copy.made_for = State.WAITING, reason.strip()[:200], principal.user
        if copy._state.adding:
            copy.save()
        else:
            copy.save(update_fields=["state", "reason", "made_for"])
        record("record.ask", Audit.EXECUTE, principal=principal, entity=copy, patient=patient)
        transaction.on_commit(lambda: make_copy.delay(str(copy.pk)))
        return copy


def ask(*, principal: Principal, visit: Appointment) -> RecordCopy:
    """The patient asks for a copy, or who may read for them; while one is under way it is that one.

    Raises Http404 for who may not, Erased.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.RECORD_ASK)
        patient = _lock(visit.patient)
        if patient.erased_at is not None:
            raise Erased
        copy = COPIES.filter(patient=patient, state__in=RecordCopy.UNDER_WAY).first()
        if copy is None:
            copy = RecordCopy.objects.create(patient=patient, state=State.ASKED)
            record("record.request", Audit.CREATE, principal=principal, entity=copy, patient=patient)
        return copy


def decline(*, principal: Principal, copy: RecordCopy) -> None:
    """No copy is made of what the patient asked for. Raises Http404 for who may not, NotOpen."""
    with transaction.atomic():
        copy = copy_for(principal, copy.pk, lock=True)
        if copy.state != State.ASKED:
            raise NotOpen
        copy.state, copy.closed_at = State.DECLINED, timezone.now()
        copy.save(update_fields=["state", "closed_at"])
        record("record.decline", Audit.UPDATE, principal=principal, entity=copy, patient=copy.patient)


def take(*, principal: Principal, copy: RecordCopy) -> bytes:
    """The ZIP file, this once: it is gone with this transaction. Raises Http404 for who may not, NotOpen."""
    with transaction.atomic():
        copy = copy_for(principal, copy.pk, lock=True)
        if copy.state != State.READY or (copy.expires_at and copy.expires_at <= timezone.now()):
            raise NotOpen
        file = b64decode(copy.content)
        _close(copy, State.TAKEN)
        record(
            "record.export",
            Audit.EXECUTE,
            principal=principal,
            entity=copy,
            patient=copy.patient,
            detail={"bytes": len(file)},
        )
        return file


def copy_for(principal: Principal, pk: uuid.UUID | str, *, lock: bool = False) -> RecordCopy:
    """The one door to a copy. Raises Http404 alike for what is not there, another clinic's, and for who may not."""
    rows = COPIES.select_for_update(of=("self",)) if lock else COPIES
    copy = rows.filter(pk=pk, patient__clinic=principal.clinic).first()
    if copy is None or not principal.may(Action.RECORD_EXPORT):
        raise Http404
    return copy


def unfinished(clinic: Clinic) -> QuerySet[RecordCopy]:
    """What is under way, and what could not be made and was not asked for again since; the oldest first."""
    newer = RecordCopy.objects.filter(patient=OuterRef("patient"), asked_at__gt=OuterRef("asked_at"))
    failed = Q(state=State.FAILED, patient__erased_at=None) & ~Exists(newer)
    found = COPIES.filter(patient__clinic=clinic).filter(Q(state__in=RecordCopy.UNDER_WAY) | failed)
    return found.order_by("asked_at")


def make(pk: uuid.UUID | str) -> bool:
    """Make a copy that waits, or that a worker died over; whether there was something to do.

    Claimed by one conditional update, so that two workers do not make the same.
    """
    now = timezone.now()
    if not _waiting(now).filter(pk=pk).update(state=State.MAKING, claimed_at=now, done=0):
        return False
    copy = COPIES.get(pk=pk)
    mine = RecordCopy.objects.filter(pk=pk, state=State.MAKING, claimed_at=now)
    try:
        file = copy_of(copy.patient, lambda percent: mine.update(done=percent))
    except Exception:
        mine.update(state=State.FAILED, closed_at=timezone.now())
        raise
    with transaction.atomic():
        if not mine.select_for_update().exists():
            return False
        made = timezone.now()
        copy.state, copy.done, copy.made_at, copy.expires_at = State.READY, 100, made, made + KEPT_FOR
        copy.content = b64encode(file).decode()
        copy.save(update_fields=["state", "done", "made_at", "expires_at", "content"])
        record(
            "record.make",
            Audit.EXECUTE,
            clinic=copy.patient.clinic,
            entity=copy,
            patient=copy.patient,
            detail={"bytes": len(file)},
        )
    return True


def tick() -> int:
    """Make what waits although its task got lost, and let go of what nobody fetched; how many were made."""
    now = timezone.now()
    for copy in COPIES.filter(state=State.READY, expires_at__lte=now):
        with transaction.atomic():
            if COPIES.select_for_update(of=("self",)).filter(pk=copy.pk, state=State.READY).exists():
                _close(copy, State.GONE)
                record("record.expire", Audit.DELETE, clinic=copy.patient.clinic, entity=copy, patient=copy.patient)
    return sum(make(pk) for pk in list(_waiting(now).values_list("pk", flat=True)))


def _close(copy: RecordCopy, state: RecordCopy.State) -> None:
    copy.state, copy.content, copy.closed_at = state, "", timezone.now()
    copy.save(update_fields=["state", "content", "closed_at"])


def _waiting(now: datetime) -> QuerySet[RecordCopy]:
    silent = Q(state=State.MAKING, claimed_at__lt=now - SILENT_AFTER)
    return RecordCopy.objects.filter(Q(state=State.WAITING) | silent)


def _lock(patient: Patient) -> Patient:
    Patient.objects.select_for_update(no_key=True).filter(pk=patient.pk).values("pk").first()
    return Patient.objects.select_related("clinic").get(pk=patient.pk)
