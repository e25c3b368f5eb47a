"""What the floor below asks of those who know of visits."""

from typing import Any

from django.dispatch import receiver

from accounts.emergency.signals import treats
from accounts.models import Patient, User
from visits.booking.models import Appointment


@receiver(treats)
def has_a_visit_with(*, user: User, patient: Patient, **_: Any) -> bool:
    visits = Appointment.objects.filter(practitioner__user=user, patient=patient)
    return visits.exclude(status=Appointment.Status.CANCELLED).exists()
