"""What staff do with a message: send it again, or say what became of one that perhaps went out."""

from datetime import datetime

from django.db import transaction
from django.db.models import Max
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

State = Communication.State
Reason = Communication.Reason


class NothingToSay(Exception):
    """The message cannot help any more; ``reason`` is one of Communication.Reason."""

    def __init__(self, reason: Communication.Reason) -> None:
        super().__init__(reason)
        self.reason = reason


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
    again = Communication(
        appointment=visit,
        patient=visit.patient,
        related_person=communication.related_person,
        revision=visit.revision,
        kind=communication.kind,
        lead=communication.lead,
        channel=communication.channel,
        serial=(same.aggregate(last=Max("serial"))["last"] or 0) + 1,
        details=communication.details,
        due_at=timezone.now(),
    )
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
    """An UNKNOWN message was sent after all; whether it was one."""
    unknown = Communication.objects.filter(pk=message.pk, state=State.UNKNOWN)
    sent_at = at or message.dispatched_at or timezone.now()
    return bool(unknown.update(state=State.SENT, reason=Reason.NONE, sent_at=sent_at))


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
