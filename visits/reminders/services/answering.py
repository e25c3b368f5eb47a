"""What patients answer: that they come, that they cancel. By the link in a mail, or by a text message back."""

from enum import StrEnum

from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent
from accounts.policy import Role
from visits.booking import services as booking
from visits.booking.access import VISITS, lock_row
from visits.booking.models import Appointment
from visits.live import events
from visits.reminders.models import Communication, Confirmation

Status = Appointment.Status


class Answer(StrEnum):
    CONFIRM = "confirm"
    CANCEL = "cancel"


class Closed(Exception):
    """The visit of the message cannot be answered any more: it moved, was cancelled, or has begun."""


class TooLate(Exception):
    """So shortly before the visit only the front desk cancels."""


def check_open(message: Communication) -> None:
    """Raises Closed when the message's visit is not to come any more as the message says."""
    visit = message.visit
    if visit.status != Status.BOOKED or visit.revision != message.revision or visit.start <= timezone.now():
        raise Closed


def may_cancel(visit: Appointment) -> bool:
    """Whether the patient may still cancel by themselves, by the clinic's notice."""
    return timezone.now() <= booking.changeable_until(visit)


def confirm(message: Communication) -> None:
    """Note that the patient comes; twice is as good as once. Raises Closed."""
    with transaction.atomic():
        _lock(message)
        check_open(message)
        visit = message.visit
        _, is_new = Confirmation.objects.get_or_create(
            appointment=visit, revision=visit.revision, defaults={"channel": message.channel}
        )
        if is_new:
            _audit(message, Answer.CONFIRM)
            events.board_changed(visit.clinic_id)


def cancel(message: Communication) -> None:
    """Cancel the visit for the patient. Raises Closed, and TooLate within the clinic's notice."""
    with transaction.atomic():
        _lock(message)
        check_open(message)
        if not may_cancel(message.visit):
            raise TooLate
        _audit(message, Answer.CANCEL)
        role = Role.PROXY if message.related_person_id else Role.PATIENT
        booking.cancel(principal=None, visit=message.visit, role=role)


def is_confirmed(visit: Appointment) -> bool:
    """Whether the patient said that they come, at the time as it is now."""
    return Confirmation.objects.filter(appointment=visit, revision=visit.revision).exists()


def _lock(message: Communication) -> None:
    lock_row(message.visit.pk)
    message.appointment = VISITS.get(pk=message.visit.pk)


def _audit(message: Communication, answer: Answer) -> None:
    audit.record(
        "message.answer",
        AuditEvent.Action.UPDATE,
        clinic=message.visit.clinic,
        entity=message,
        patient=message.patient,
        detail={"answer": str(answer), "channel": message.channel}
        | ({"acts_as": str(message.related_person_id)} if message.related_person_id else {}),
    )
