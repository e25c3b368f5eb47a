"""What staff do with a message: send it again, or say what became of one that perhaps went out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max, Q
from django.http import Http404
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import rules

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason

# The provider may have it, and has not answered: not yet, or not at all.
IS_OPEN = Q(state=State.UNKNOWN) | Q(state=State.CLAIMED, dispatched_at__isnull=False)


class NothingToSay(Exception):
    """The message cannot help any more; ``reason`` is one of Communication.Reason."""

    def __init__(self, reason: Communication.Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Line:
    """A message as the ledger of a visit shows it, and what who looks may do with it."""

    message: Communication
    may_repeat: bool
    may_settle: bool


def lines_of(principal: Principal, visit: Appointment, messages: Iterable[Communication]) -> list[Line]:
    """The messages of a visit, in their order."""
    rows, now = list(messages), timezone.now()
    may_send = principal.may(Action.VISIT_CHANGE)
    return [
        Line(
            message=row,
            may_repeat=may_send and row.was_tried and _is_worth_repeating(row, visit, rows, now),
            may_settle=may_send and row.state == State.UNKNOWN,
        )
        for row in rows
    ]


def _is_worth_repeating(
    message: Communication, visit: Appointment, others: Iterable[Communication], now: datetime
) -> bool:
    is_last_word = message.kind != Kind.RUNNING_LATE or not any(_is_newer_word(one, message) for one in others)
    return message.is_repeatable and is_last_word and rules.is_its_time(_repeat(message, visit, serial=1), now)


def _is_newer_word(one: Communication, other: Communication) -> bool:
    """Whether it says something else of the same delay, and later."""
    is_same = (one.kind, one.revision) == (other.kind, other.revision)
    return is_same and one.serial > other.serial and one.details.get("minutes") != other.details.get("minutes")


def _repeat(message: Communication, visit: Appointment, *, serial: int) -> Communication:
    return Communication(
        appointment=visit,
        patient=visit.patient,
        related_person=message.related_person,
        revision=visit.revision,
        kind=message.kind,
        lead=message.lead,
        channel=message.channel,
        serial=serial,
        details=message.details,
        due_at=timezone.now(),
    )


@transaction.atomic
def resend(*, principal: Principal, communication: Communication) -> Communication:
    """Plan the message once more, due now, with a new link; a repeat that is still waiting is returned as it is.

    Raises Http404 for another clinic's message, an offer, or a role that may not, and NothingToSay when there is
    no address or the message cannot help any more.
    """
    if not communication.is_repeatable:
        raise Http404
    visit = _visit(principal, communication)
    same = visit.communications.filter(
        revision=visit.revision,
        kind=communication.kind,
        lead=communication.lead,
        channel=communication.channel,
        related_person=communication.related_person,
    )
    waiting = same.filter(state__in=[State.PLANNED, State.CLAIMED], due_at__lte=timezone.now()).first()
    if waiting is not None:
        return waiting
    if communication.kind == Kind.RUNNING_LATE and any(_is_newer_word(one, communication) for one in same):
        raise NothingToSay(Reason.SUPERSEDED)
    again = _repeat(communication, visit, serial=(same.aggregate(last=Max("serial"))["last"] or 0) + 1)
    if reason := rules.why_not(again, now=again.due_at):
        raise NothingToSay(reason)
    again.save(force_insert=True)
    _audit(principal, again, "message.again", AuditEvent.Action.CREATE)
    return again


@transaction.atomic
def settle(*, principal: Principal, communication: Communication) -> None:
    """Note that a message that perhaps went out did arrive, as somebody found out. Others are left as they are.

    Raises Http404 for another clinic's message or a role that may not.
    """
    _visit(principal, communication)
    if note_arrival(communication):
        _audit(principal, communication, "message.settle", AuditEvent.Action.UPDATE)


def note_arrival(message: Communication, at: datetime | None = None) -> bool:
    """A message of which we do not know was sent after all; whether it was one."""
    sent_at = at or message.dispatched_at or timezone.now()
    found = Communication.objects.filter(IS_OPEN, pk=message.pk)
    return bool(found.update(state=State.SENT, reason=Reason.NONE, sent_at=sent_at))


def _visit(principal: Principal, communication: Communication) -> Appointment:
    if communication.appointment_id is None:
        raise Http404
    action = Action.VISIT_CHANGE if principal.may(Action.VISIT_CHANGE) else Action.CLINIC_RUN
    return appointment_for(principal, communication.appointment_id, action, lock=True)


def _audit(principal: Principal, message: Communication, subtype: str, action: AuditEvent.Action) -> None:
    audit.record(
        subtype,
        action,
        principal=principal,
        entity=message,
        patient=message.patient,
        detail={"kind": message.kind, "channel": message.channel, "serial": message.serial},
    )
