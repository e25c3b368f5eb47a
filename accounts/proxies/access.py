"""The door to who acts for a patient."""

import uuid

from django.http import Http404

from accounts.models import Patient, RelatedPerson
from accounts.policy import Action
from accounts.principal import Principal


def patient_for(principal: Principal, pk: uuid.UUID, action: Action) -> Patient:
    """The clinic's patient, for staff who may do ``action``. Raises Http404 alike for another clinic's and none."""
    patient = Patient.objects.select_related("clinic").filter(pk=pk, clinic=principal.clinic).first()
    if patient is None or not principal.is_staff_member or not principal.may(action):
        raise Http404
    return patient


def grant_for(principal: Principal, pk: uuid.UUID, action: Action, *, lock: bool = False) -> RelatedPerson:
    """One grant of the clinic's patients, the row locked if ``lock``. Raises Http404 as ``patient_for`` does."""
    grants = RelatedPerson.objects.select_related("patient__clinic", "granted_by", "revoked_by")
    if lock:
        grants = grants.select_for_update(of=("self",), no_key=True)
    grant = grants.filter(pk=pk, patient__clinic=principal.clinic).first()
    if grant is None or not principal.is_staff_member or not principal.may(action):
        raise Http404
    return grant
