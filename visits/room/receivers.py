"""What the floors below announce, and what it means for the call."""

from typing import Any

from django.dispatch import receiver

from accounts.principal import Principal
from visits.booking.errors import WrongState
from visits.booking.models import Appointment
from visits.booking.signals import appointment_changed
from visits.room import presence, services
from visits.waiting.signals import admitted, giving_up


@receiver(admitted)
def open_on_admission(*, appointment: Appointment, principal: Principal, **_: Any) -> None:
    services.open_encounter(principal=principal, visit=appointment)


@receiver(giving_up)
def keep_who_came(*, appointment: Appointment, **_: Any) -> None:
    if presence.patient_came(appointment):
        raise WrongState(appointment)


@receiver(appointment_changed)
def close_when_off(*, appointment: Appointment, change: str, principal: Principal | None, **_: Any) -> None:
    if change in {"cancelled", "noshow"}:
        services.close(principal=principal, visit=appointment)
