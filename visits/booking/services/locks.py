"""Who waits for whom: the order in which rows are locked, the same for everybody, so that nobody waits in a circle.

The visit's own row, then practitioners by primary key, then the patient, also where a row is only written. Always
``FOR NO KEY UPDATE``: rows that merely refer to one of them need not wait. Two inserts that collide in an exclusion
constraint wait for each other, and PostgreSQL ends one as a deadlock after a second; who holds the practitioner's row
does not collide.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from django.http import Http404

from accounts.models import Clinic, Patient, Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import VISITS, appointment_for, lock_row
from visits.booking.models import Appointment


def lock_visit(principal: Principal | None, visit: Appointment, actions: tuple[Action, ...]) -> Appointment:
    """The visit as it is now, for who may do one of ``actions`` with it; None is the system itself. Raises Http404."""
    if principal is None:
        lock_row(visit.pk)
        return VISITS.get(pk=visit.pk)
    action = next((action for action in actions if principal.may(action)), actions[0])
    return appointment_for(principal, visit.pk, action, lock=True)


def lock_practitioners(clinic: Clinic, pks: Iterable[uuid.UUID]) -> dict[uuid.UUID, Practitioner]:
    """The clinic's practitioners of these keys. Raises Http404 when one is not the clinic's."""
    return {pk: _lock(Practitioner, clinic, pk) for pk in sorted(set(pks))}


def lock_practitioner(clinic: Clinic, pk: uuid.UUID) -> Practitioner:
    return lock_practitioners(clinic, [pk])[pk]


def lock_patient(clinic: Clinic, pk: uuid.UUID) -> Patient:
    """The clinic's patient of this key. Raises Http404."""
    patient: Patient = _lock(Patient, clinic, pk)
    return patient


def _lock(model: Any, clinic: Clinic, pk: uuid.UUID) -> Any:
    row = model.objects.select_for_update(no_key=True).filter(pk=pk, clinic_id=clinic.pk).first()
    if row is None:
        raise Http404
    row.clinic = clinic
    return row
