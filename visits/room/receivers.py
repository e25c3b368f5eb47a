"""What the floors below announce, and what it means for the call."""

from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from accounts.emergency.signals import treats
from accounts.models import AccessLink, Patient, RelatedPerson, User
from accounts.policy import Role
from accounts.principal import Principal
from accounts.proxies.signals import grant_changed
from visits.booking.errors import WrongState
from visits.booking.models import Appointment
from visits.booking.signals import appointment_changed
from visits.live import events
from visits.room import media, presence, services
from visits.room.models import Seat
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


@receiver(treats)
def was_in_the_call(*, user: User, patient: Patient, **_: Any) -> bool:
    """As a clinician whom the patient met, whosever visit it was."""
    seats = Seat.objects.filter(user=user, role=Role.CLINICIAN, encounter__appointment__patient=patient)
    return seats.filter(presences__isnull=False).exists()


@receiver(grant_changed)
def send_out(*, person: RelatedPerson, **_: Any) -> None:
    """Who may not act for the patient any more leaves the call at once, and every page of theirs looks again."""
    if not person.is_active() or not person.joins:
        for seat in Seat.objects.filter(related_person=person, presences__left_at=None).select_related("encounter"):
            presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.REMOVED)
            media.leave_on_commit(seat.encounter, seat.pk, seat.epoch)
    opened = person.links.filter(scope=AccessLink.Scope.VISIT).values("resource_id")
    to_come = Q(patient=person.patient, status__in=(Appointment.Status.BOOKED, Appointment.Status.ARRIVED))
    theirs = Q(pk__in=opened) | to_come  # by an account they open these too
    for visit in Appointment.objects.filter(theirs).values_list("pk", flat=True):
        events.rights_changed(visit)
