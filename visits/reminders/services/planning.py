"""Which messages there will be, and why some there will not. ``delivery`` sends them."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.reminders.models import Communication

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason

LEAD = {Kind.REMINDER_DAY: timedelta(days=1), Kind.REMINDER_SOON: timedelta(minutes=10)}


class NothingToSay(Exception):
    """The message cannot help any more; ``reason`` is one of Communication.Reason."""

    def __init__(self, reason: Communication.Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@transaction.atomic
def plan(appointment: Appointment) -> None:
    """Write down the confirmation and the reminders of a booked visit, due at their time.

    A reminder whose time has passed, and everything for a patient without an address, is written
    down as not sent, with the reason. Planning the same revision again changes nothing.
    """
    now = timezone.now()
    _plan(appointment, Kind.CONFIRMATION, due_at=now)
    for kind, lead in LEAD.items():
        due_at = appointment.start - lead
        _plan(appointment, kind, due_at=due_at, reason=Reason.TOO_LATE if due_at < now else Reason.NONE)


@transaction.atomic
def plan_cancellation(appointment: Appointment) -> None:
    """Call off what was planned; tell the patient, if they may have been told of the visit at all."""
    was_told = appointment.communications.filter(attempts__gt=0).exists()
    suppress(appointment, Reason.CANCELLED)
    if was_told:
        _plan(appointment, Kind.CANCELLATION, due_at=timezone.now())


def suppress(appointment: Appointment, reason: Communication.Reason) -> None:
    """What is planned for this visit will not be sent. What is being sent is decided by the sender."""
    appointment.communications.filter(state=State.PLANNED).update(state=State.SUPPRESSED, reason=reason)


@transaction.atomic
def resend(*, principal: Principal, communication: Communication) -> Communication:
    """Plan the message once more, due now, with a new link; a repeat that is still waiting is returned as it is.

    Raises Http404 for another clinic's message or a role that may not, and NothingToSay when there is
    no address or the message cannot help any more.
    """
    action = Action.VISIT_CHANGE if principal.may(Action.VISIT_CHANGE) else Action.CLINIC_RUN
    visit = appointment_for(principal, communication.appointment_id, action, lock=True)
    same = visit.communications.filter(revision=visit.revision, kind=communication.kind, channel=communication.channel)
    waiting = same.filter(state__in=[State.PLANNED, State.CLAIMED], due_at__lte=timezone.now()).first()
    if waiting is not None:
        return waiting
    serial = (same.aggregate(last=Max("serial"))["last"] or 0) + 1
    again = Communication(
        appointment=visit,
        revision=visit.revision,
        kind=communication.kind,
        channel=communication.channel,
        serial=serial,
        due_at=timezone.now(),
    )
    if reason := why_not(again, now=again.due_at):
        raise NothingToSay(reason)
    again.save(force_insert=True)
    audit.record(
        "message.again",
        AuditEvent.Action.CREATE,
        principal=principal,
        entity=again,
        patient=visit.patient,
        detail={"kind": again.kind, "serial": serial},
    )
    return again


def why_not(message: Communication, *, now: datetime) -> Communication.Reason:
    """Why this message must not go out now, by the state of the visit now; NONE if it may."""
    visit = message.appointment
    is_cancelled = visit.status == Appointment.Status.CANCELLED
    if message.kind != Kind.CANCELLATION and is_cancelled:
        return Reason.CANCELLED
    if message.revision != visit.revision or (message.kind == Kind.CANCELLATION and not is_cancelled):
        return Reason.SUPERSEDED
    if message.kind != Kind.CANCELLATION and not visit.is_open:
        return Reason.OVER
    if not visit.patient.email:
        return Reason.NO_ADDRESS
    if now >= deadline(message):
        return Reason.TOO_LATE
    return Reason.NONE


def deadline(message: Communication) -> datetime:
    """From when on a message would only confuse. Somebody asked for a repeat, so it has until the end."""
    visit = message.appointment
    if message.serial == 0 and message.kind == Kind.REMINDER_DAY:
        return visit.start - LEAD[Kind.REMINDER_SOON]
    if message.serial == 0 and message.kind == Kind.REMINDER_SOON:
        return visit.start
    return visit.end


def _plan(
    appointment: Appointment, kind: Communication.Kind, *, due_at: datetime, reason: Communication.Reason = Reason.NONE
) -> None:
    if not appointment.patient.email:
        reason = Reason.NO_ADDRESS
    Communication.objects.get_or_create(
        appointment=appointment,
        revision=appointment.revision,
        kind=kind,
        channel=Communication.Channel.EMAIL,
        serial=0,
        defaults={"due_at": due_at, "state": State.SUPPRESSED if reason else State.PLANNED, "reason": reason},
    )
