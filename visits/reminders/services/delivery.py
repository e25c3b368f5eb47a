"""Sends what is due. Any number of workers may do it at once, and any of them may die at any moment.

A row is claimed by one conditional UPDATE, and a worker that dies leaves one claim behind. What becomes of it is
decided by whether the provider can have the message, which the row says before it can: ``dispatched_at`` is committed
just before the hand-over, together with a last look at the visit. A claim without it is free again after
``ABANDONED``. With it the message may have gone out: a provider that knows idempotency keys is asked again with the
same key, any other leaves it UNKNOWN, and a person decides. So nothing is sent twice and nothing is lost in silence.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.audit import services as audit
from accounts.keys.fields import columns
from accounts.models import AuditEvent
from visits.booking.models import Appointment
from visits.reminders.channels.base import Channel, OptedOut, RefusedForGood, RefusedForNow, Unreachable, Unsure
from visits.reminders.channels.email import EmailChannel
from visits.reminders.channels.sms import SMSChannel
from visits.reminders.models import Communication
from visits.reminders.services import granting, heartbeat, preferences, rules, series

State = Communication.State
Reason = Communication.Reason

log = logging.getLogger(__name__)

BATCH = 200
ABANDONED = timedelta(minutes=2)
FIRST_PAUSE = timedelta(seconds=30)  # doubles with each attempt
LONGEST_PAUSE = timedelta(minutes=15)
MAX_REFUSALS = 5  # temporary ones, such as greylisting
MAX_ATTEMPTS = 100  # about a day of a provider that does not answer
MAX_BROKEN_OFF = 5

CHANNELS: dict[str, Channel] = {
    Communication.Channel.EMAIL: EmailChannel(),
    Communication.Channel.SMS: SMSChannel(),
}


class Withdrawn(Exception):
    """At the last moment the message is not to be sent: for ``reason``, or since it is not ours any more (NONE)."""

    def __init__(self, reason: Communication.Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokenOff(Exception):
    """Too many tries ended without a word."""


def send_due(now: datetime | None = None, *, asked_for: bool = False) -> int:
    """Send each message that is due, unless its visit says otherwise by now; return how many went out.

    ``asked_for``: those alone that their patients have asked for. When a channel's provider does not answer, the rest
    of that channel waits for the next call.
    """
    if not asked_for:
        heartbeat.beat(now or timezone.now())
        _settle_abandoned(now or timezone.now())
    sent, down = 0, set[str]()
    for _ in range(BATCH):
        message = _claim(now or timezone.now(), down, asked_for)
        if message is None:
            break
        try:
            sent += _handle(message, now or timezone.now())
        except Unreachable:
            down.add(message.channel)
    return sent


def due(now: datetime) -> QuerySet[Communication]:
    """What waits for a worker: planned and due, or claimed by one that is gone and never handed it over."""
    planned = Q(state=State.PLANNED, due_at__lte=now)
    abandoned = Q(state=State.CLAIMED, dispatched_at=None, claimed_at__lt=now - ABANDONED)
    return Communication.objects.filter(planned | abandoned)


def _claim(now: datetime, down: set[str], asked_for: bool) -> Communication | None:
    """Make the first row that nobody else is at ours."""
    waiting = due(now).exclude(channel__in=down)
    if asked_for:
        waiting = waiting.filter(details__asked=True)
    if not waiting.exists():  # SQLite would lock everybody out to learn that
        return None
    with transaction.atomic():
        row = waiting.order_by("due_at", "pk").select_for_update(skip_locked=True).first()
        if row is None:
            return None
        broken_off = row.broken_off + (row.state == State.CLAIMED)
        due(now).filter(pk=row.pk).update(
            state=State.CLAIMED, claimed_at=now, attempts=F("attempts") + 1, broken_off=broken_off
        )
    return Communication.objects.select_related(
        "patient__clinic",
        "related_person__patient__clinic",
        "appointment__clinic",
        "appointment__patient__clinic",
        "appointment__practitioner",
    ).get(pk=row.pk)


def _settle_abandoned(now: datetime) -> None:
    """What was being handed over when its worker went away."""
    gone = Communication.objects.filter(state=State.CLAIMED, dispatched_at__lt=now - ABANDONED)
    for message in gone.select_related("patient__clinic", "appointment__clinic")[:BATCH]:
        if CHANNELS[message.channel].is_idempotent:
            _still_ours(message).update(state=State.PLANNED, broken_off=F("broken_off") + 1)
        else:
            _finish(message, State.UNKNOWN, Reason.INTERRUPTED)


def _handle(message: Communication, now: datetime) -> int:
    """Send a claimed message or note why not; 1 if it went out. Raises Unreachable when its channel must wait."""
    try:
        _look(message, now)
        if named := rules.named_with(message):
            message.details["named"] = named
        elif not message.serial:
            message.details.pop("named", None)  # of a try before this one
        provider_id = CHANNELS[message.channel].send(message, now=now, handing_over=partial(_hand_over, message, now))
    except Withdrawn as withdrawn:
        if withdrawn.reason:
            _finish(message, State.SUPPRESSED, withdrawn.reason)
        return 0
    except Exception as error:
        _note_failure(message, now, error)
        if isinstance(error, Unreachable | Unsure):
            raise Unreachable from error
        return 0
    _finish(message, State.SENT, provider_id=provider_id)
    return 1


def _look(message: Communication, now: datetime) -> None:
    """Raises Withdrawn when it is of no use, or of none now: then it waits."""
    if reason := rules.why_not(message, now=now):
        raise Withdrawn(reason)
    if waits_until := rules.waits_until(message, now=now):
        _postpone(message, waits_until)
        raise Withdrawn(Reason.NONE)
    if message.broken_off >= MAX_BROKEN_OFF:
        raise BrokenOff


def _note_failure(message: Communication, now: datetime, error: Exception) -> None:
    match error:
        case BrokenOff():
            _finish(message, State.FAILED, Reason.INTERRUPTED)
        case RefusedForGood():
            _note_address(message, error)
            _finish(message, State.FAILED, Reason.OPTED_OUT if isinstance(error, OptedOut) else Reason.REFUSED)
        case RefusedForNow():
            _try_later(message, now, Reason.REFUSED, give_up=message.attempts >= MAX_REFUSALS)
        case Unreachable():
            _try_later(message, now, Reason.UNREACHABLE, give_up=message.attempts >= MAX_ATTEMPTS)
        case Unsure():
            _leave_open(message, now, Reason.NO_ANSWER)
        case _:
            # An error's text may hold an address.
            log.error("message %s: %s", message.pk, type(error).__name__)
            _leave_open(message, now, Reason.INTERRUPTED)


def _hand_over(message: Communication, now: datetime) -> None:
    """Note that the provider may have it from now on. Raises Withdrawn if the visit changed since the claim.

    Who cancels or moves the visit holds its row: they wait for this note, or this sees what they did.
    """
    with transaction.atomic():
        if message.appointment is not None:
            visit = Appointment.objects.select_for_update().get(pk=message.appointment.pk)
            message.appointment.status, message.appointment.revision = visit.status, visit.revision
        if reason := rules.why_not(message, now=now):
            raise Withdrawn(reason)
        if not series.is_as_named(message):  # it is written anew
            soon = {"state": State.PLANNED, "due_at": now + FIRST_PAUSE, "attempts": F("attempts") - 1}
            _still_ours(message).update(**soon)
            raise Withdrawn(Reason.NONE)
        message.address = rules.address_of(message.recipient, message.channel)
        noted = {"details": message.details, **columns(message, "address")}
        if not _still_ours(message).update(dispatched_at=timezone.now(), **noted):
            raise Withdrawn(Reason.NONE)
    message.dispatched_at = timezone.now()


def _leave_open(message: Communication, now: datetime, reason: Communication.Reason) -> None:
    """The talk ended without a word: try again where that is safe, else leave it to a person."""
    if message.dispatched_at is None or CHANNELS[message.channel].is_idempotent:
        message.broken_off += 1
        _try_later(message, now, reason, give_up=message.broken_off >= MAX_BROKEN_OFF)
    else:
        _finish(message, State.UNKNOWN, reason)


def _note_address(message: Communication, refused: RefusedForGood) -> None:
    if isinstance(refused, OptedOut):
        preferences.opt_out(message.recipient, message.channel)
    elif refused.is_address:
        preferences.note_bounce(message.recipient, message.channel, message.address or _address(message))


def _address(message: Communication) -> str:
    return rules.address_of(message.recipient, message.channel)


def _postpone(message: Communication, until: datetime) -> None:
    """Nobody is to be disturbed now: what still helps afterwards waits, the rest is not sent."""
    is_reminder = message.kind in {Communication.Kind.REMINDER, Communication.Kind.FORM_MISSING}
    if is_reminder or until >= rules.deadline(message):
        _finish(message, State.SUPPRESSED, Reason.QUIET)
    else:
        _still_ours(message).update(state=State.PLANNED, due_at=until, attempts=F("attempts") - 1)


def _try_later(message: Communication, now: datetime, reason: Communication.Reason, *, give_up: bool = False) -> None:
    due_at = now + min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 10), LONGEST_PAUSE)
    if give_up or due_at >= rules.deadline(message):
        _finish(message, State.FAILED, reason)
    else:
        _still_ours(message).update(
            state=State.PLANNED, due_at=due_at, dispatched_at=None, broken_off=message.broken_off
        )


@transaction.atomic
def _finish(
    message: Communication,
    state: Communication.State,
    reason: Communication.Reason = Reason.NONE,
    *,
    provider_id: str = "",
) -> None:
    result: dict[str, Any] = {"state": state, "reason": reason, "provider_id": provider_id}
    result["sent_at"] = timezone.now() if state == State.SENT else None
    if state in {State.FAILED, State.SUPPRESSED}:
        result["dispatched_at"] = None
    if not _still_ours(message).update(**result):
        if reported := _reported(message, provider_id):
            state, reason = reported
        else:
            log.error("message %s: took longer than its claim", message.pk)
    elif message.kind == Communication.Kind.GRANT and state in {State.FAILED, State.SUPPRESSED}:
        granting.tell_otherwise(message)
    log.info("message %s: %s %s", message.pk, state, reason)
    if message.serial and state in {State.SENT, State.UNKNOWN}:
        series.tell_again(message)
    if state == State.SUPPRESSED:
        return
    audit.record(
        "message.send",
        AuditEvent.Action.EXECUTE,
        clinic=message.patient.clinic,
        entity=message,
        patient=message.patient,
        outcome=AuditEvent.Outcome.SUCCESS if state == State.SENT else AuditEvent.Outcome.SERIOUS_FAILURE,
        detail={"kind": message.kind, "channel": message.channel, "revision": message.revision,
                "attempts": message.attempts} | ({"reason": reason} if reason else {}) | _to(message),
    )  # fmt: skip


def _to(message: Communication) -> dict[str, str]:
    return {"related_person": str(message.related_person_id)} if message.related_person_id else {}


def _reported(message: Communication, provider_id: str) -> tuple[Communication.State, Communication.Reason] | None:
    """What the provider has reported of this very try before it answered; None if it has not."""
    row = Communication.objects.filter(pk=message.pk, claimed_at=message.claimed_at, dispatched_at__isnull=False)
    row = row.filter(state__in=[State.SENT, State.FAILED])
    if provider_id:
        row.update(provider_id=provider_id)
    found = row.values_list("state", "reason").first()
    return (State(found[0]), Reason(found[1])) if found else None


def _still_ours(message: Communication) -> QuerySet[Communication]:
    """The row, if nobody claimed it since: a worker that was only slow must not undo another's note.

    What was given up as unknown meanwhile is still this claim's to answer.
    """
    states = [State.CLAIMED, State.UNKNOWN]
    return Communication.objects.filter(pk=message.pk, state__in=states, claimed_at=message.claimed_at)
