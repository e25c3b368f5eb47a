"""The one door to a patient's record as a whole."""

import uuid

from django.http import Http404

from accounts.models import Patient
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.models import Appointment


def record_for(principal: Principal, pk: uuid.UUID | str, action: Action) -> Patient:
    """The patient, if ``principal`` may do ``action`` with their record.

    Raises Http404 alike for one that does not exist or is another clinic's, and for a role that may not.
    """
    patient = Patient.objects.select_related("clinic").filter(pk=pk, clinic=principal.clinic).first()
    if patient is None or not principal.may(action):
        raise Http404
    return patient


def lock_record(patient: Patient) -> Patient:
    """The patient as they are now, with their visits, for the rest of the transaction.

    In the order in which everybody locks (``booking.services.locks``): who books for them waits at the patient, so a
    visit that comes after the first query is seen by the next.
    """
    visits = Appointment.objects.select_for_update(no_key=True).filter(patient_id=patient.pk)
    list(visits.order_by("pk").values_list("pk"))
    Patient.objects.select_for_update(no_key=True).filter(pk=patient.pk).values("pk").first()
    return Patient.objects.select_related("clinic").get(pk=patient.pk)
