"""Legal holds: a person orders that a record is kept, and a person ends it. The database refuses erasure meanwhile."""

import uuid

from django.db import transaction
from django.http import Http404
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Patient, User
from accounts.policy import Action
from accounts.principal import Principal
from visits.records.access import lock_record, record_for
from visits.records.errors import Erased
from visits.records.models import LegalHold

HOLDS = LegalHold.objects.select_related("patient__clinic", "placed_by", "ended_by")


def in_force(patient: Patient) -> list[LegalHold]:
    return list(HOLDS.filter(patient=patient, ended_at=None))


def place(*, principal: Principal, patient: Patient, reason: str) -> LegalHold:
    """Order that the record is kept. Waits for an erasure that is under way. Raises Http404 for who may not, Erased."""
    with transaction.atomic():
        patient = lock_record(record_for(principal, patient.pk, Action.RECORD_ERASE))
        if patient.erased_at is not None:
            raise Erased
        hold = LegalHold.objects.create(patient=patient, reason=reason.strip()[:200], placed_by=_user(principal))
        record("record.hold", Audit.CREATE, principal=principal, entity=hold, patient=patient)
        return hold


def end(*, principal: Principal, pk: uuid.UUID | str) -> LegalHold:
    """End an order; one that is ended stays as it is. Raises Http404 for who may not."""
    with transaction.atomic():
        hold = HOLDS.select_for_update(of=("self",)).filter(pk=pk, patient__clinic=principal.clinic).first()
        if hold is None or not principal.may(Action.RECORD_ERASE):
            raise Http404
        if hold.ended_at is None:
            hold.ended_at, hold.ended_by = timezone.now(), _user(principal)
            hold.save(update_fields=["ended_at", "ended_by"])
            record("record.release", Audit.UPDATE, principal=principal, entity=hold, patient=hold.patient)
        return hold


def _user(principal: Principal) -> User:
    if principal.user is None:
        raise Http404
    return principal.user
