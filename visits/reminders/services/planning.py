"""Which messages there will be, and why some there will not. ``delivery`` sends them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.models import Clinic, Patient, RelatedPerson
from visits.booking.models import Appointment
from visits.reminders.models import Communication, ReminderPolicy
from visits.reminders.quiet import CANNOT_WAIT, remind_at
from visits.reminders.services import rules, series

Kind = Communication.Kind
Channel = Communication.Channel
State = Communication.State
Reason = Communication.Reason

# Staff may have pressed too early.
MISSED_AFTER = timedelta(minutes=15)
# By these rows the patient knows, or may know, of the visit.
TOLD = (Q(state=State.SENT) | Q(dispatched_at__isnull=False) | Q(reason=Reason.IN_SERIES)) & ~Q(state=State.FAILED)


@transaction.atomic
def plan(appointment: Appointment) -> None:
    """Write down what a booked or moved visit is to say, due at its time.

    What was planned before a move is superseded. Who was told of the old time, or booked it, is told of the new one;
    who never heard that it was moved away and back hears nothing. What cannot
    be sent, or would come too late, is written down as not sent, with the reason. Planning the same revision again
    changes nothing.
    """
    now = timezone.now()
    old = appointment.communications.filter(revision__lt=appointment.revision)
    series.settle(appointment)
    old.filter(state=State.PLANNED).update(state=State.SUPPRESSED, reason=Reason.SUPERSEDED)
    for person in rules.recipients(appointment.patient):
        _plan_for(appointment, person, old.filter(related_person=person), now)


def _plan_for(
    appointment: Appointment, person: RelatedPerson | None, old: QuerySet[Communication], now: datetime
) -> None:
    """All of it for one recipient; ``old`` is what they were sent, or not, of earlier revisions."""
    told = old.filter(TOLD).order_by("-revision", "-due_at").first()
    first, details, reason = Kind.CONFIRMATION, {}, Reason.NONE
    if told is not None:
        first, details = Kind.RESCHEDULE, _before(told)
        reason = Reason.NOT_NEEDED if told.knows(appointment) else Reason.NONE
    elif knows_by_page(appointment) and (seen := old.order_by("revision").first()) and not seen.knows(appointment):
        first, details = Kind.RESCHEDULE, _before(seen)
    for channel in rules.channels(appointment.clinic, first):
        _plan(appointment, person, first, channel, due_at=now, reason=reason, details=details)
    for row in reminders(appointment, now):
        _plan(appointment, person, Kind.REMINDER, **row)
    _plan_form(appointment, person, now)


def _before(known: Communication) -> dict[str, Any]:
    return {"old_start": known.start.isoformat() if known.start else ""}


@transaction.atomic
def plan_for_proxy(person: RelatedPerson) -> None:
    """Plan what is to be said of the patient's visits to come to who acts for them from now on; the rest stays."""
    visits = Appointment.objects.select_related("clinic", "patient__clinic").filter(
        patient=person.patient, status=Appointment.Status.BOOKED, start__gt=timezone.now()
    )
    for visit in visits.order_by("start"):
        old = visit.communications.filter(revision__lt=visit.revision, related_person=person)
        _plan_for(visit, person, old, timezone.now())


def plan_for_address(recipient: Patient | RelatedPerson) -> None:
    """Plan what is still to come of the patient's visits and had no address, where there may be one now.

    Also what somebody else was to get in the patient's place: whether they still are is asked when it is sent.
    """
    whose = {"related_person": recipient} if isinstance(recipient, RelatedPerson) else {"patient": recipient}
    lost = Communication.objects.filter(
        **{"related_person": None} | whose,
        channel__in=[channel for channel in Channel if rules.address_of(recipient, channel)],
        state=State.SUPPRESSED,
        reason__in=[Reason.NO_ADDRESS, Reason.TO_PROXY],
        due_at__gt=timezone.now(),
        appointment__status=Appointment.Status.BOOKED,
        appointment__revision=F("revision"),
    )
    lost.update(state=State.PLANNED, reason=Reason.NONE)


def plan_for_zone(patient: Patient) -> None:
    """Have what is planned of the patient's visits to come go out by the clock that the patient goes by now."""
    _plan_times(_to_come().filter(patient=patient), patient)


def plan_for_quiet_hours(clinic: Clinic) -> None:
    """Have what is planned of the clinic's visits to come keep the quiet hours of now."""
    _plan_times(_to_come().filter(clinic=clinic).select_related("patient__clinic").iterator(chunk_size=500))


def _to_come() -> QuerySet[Appointment]:
    visits = Appointment.objects.filter(status=Appointment.Status.BOOKED, start__gt=timezone.now())
    return visits.select_related("clinic")


def _plan_times(visits: Iterable[Appointment], patient: Patient | None = None) -> None:
    """Move what is planned of the visits to when it would be due if it were planned now; what would come too late stays
    where it is."""
    for visit in visits:
        visit.patient = patient or visit.patient
        now = timezone.now()
        rows = [row | {"kind": Kind.REMINDER} for row in reminders(visit, now)]
        form = _form_due(visit)
        if form is not None and form > now:
            rows.append({"kind": Kind.FORM_MISSING, "lead": 0, "channel": Channel.EMAIL, "due_at": form, "reason": ""})
        for row in rows:
            if not row["reason"]:
                same = visit.communications.filter(kind=row["kind"], lead=row["lead"], channel=row["channel"])
                waiting = same.filter(revision=visit.revision, serial=0, state=State.PLANNED)
                waiting.exclude(due_at=row["due_at"]).update(due_at=row["due_at"])


def reminders(appointment: Appointment, now: datetime) -> list[dict[str, Any]]:
    """Lead, channel, due time and perhaps the reason against it, of each reminder of the visit.

    One that is due in quiet hours goes before them; if that has passed, or another goes then, not at all. One that
    comes minutes before the visit stays where it is.
    """
    policy, quiet = ReminderPolicy.of(appointment.clinic), rules.quiet_hours(appointment.patient)
    found: list[dict[str, Any]] = []
    for minutes, email, sms in policy.leads():
        lead = timedelta(minutes=minutes)
        at = remind_at(appointment.start, lead, quiet.zone)
        due_at = at if lead <= CANNOT_WAIT else quiet.last_before(at)
        for channel in [Channel.EMAIL] * email + [Channel.SMS] * (sms and policy.sms):
            is_double = any(row["channel"] == channel and row["due_at"] == due_at for row in found)
            reason = Reason.TOO_LATE if at < now else Reason.QUIET if due_at < now or is_double else Reason.NONE
            found.append({"lead": minutes, "channel": channel, "due_at": at if reason else due_at, "reason": reason})
    return found


def is_no_news(appointment: Appointment) -> bool:
    """Whether the patient is told nothing of the last move, since they know the visit as it is now."""
    rows = appointment.communications.filter(kind=Kind.RESCHEDULE, revision=appointment.revision)
    return rows.filter(reason=Reason.NOT_NEEDED).exists()


@transaction.atomic
def plan_cancellation(appointment: Appointment) -> None:
    """Call off what was planned; tell the patient, if they may have been told of the visit at all."""
    series.settle(appointment)
    told = {row.related_person_id for row in appointment.communications.filter(TOLD)}
    suppress(appointment, Reason.CANCELLED)
    for person in rules.recipients(appointment.patient):
        if knows_by_page(appointment) or (person.pk if person else None) in told:
            for channel in rules.channels(appointment.clinic, Kind.CANCELLATION):
                _plan(appointment, person, Kind.CANCELLATION, channel, due_at=timezone.now())


def was_told(appointment: Appointment) -> bool:
    """Whether the patient, or who acts for them, knows or may know of the visit: by a message, or by booking it."""
    return knows_by_page(appointment) or appointment.communications.filter(TOLD).exists()


def knows_by_page(appointment: Appointment) -> bool:
    """Whether the patient, or who acts for them, booked by themselves or was there: the page has said that it is
    booked."""
    return appointment.origin != Appointment.Origin.STAFF


@transaction.atomic
def plan_missed(appointment: Appointment) -> None:
    """Call off what was planned; tell the patient that they were missed, unless they come after all."""
    suppress(appointment, Reason.OVER)
    which = appointment.changes.filter(change=Appointment.Status.NOSHOW).order_by("at").last()
    announce(appointment, Kind.MISSED, serial_of=str(which.pk) if which else "", after=MISSED_AFTER)


def suppress(appointment: Appointment, reason: Communication.Reason) -> None:
    """What is planned for this visit will not be sent. What is being sent is decided by the sender."""
    appointment.communications.filter(state=State.PLANNED).update(state=State.SUPPRESSED, reason=reason)


@transaction.atomic
def announce(
    appointment: Appointment,
    kind: Communication.Kind,
    *,
    serial_of: str = "",
    details: dict[str, Any] | None = None,
    after: timedelta = timedelta(0),
) -> None:
    """Tell the patient something about their visit now, or ``after`` a while: once for each ``serial_of``.

    It takes the place of the same kind of message that still waits: of two delays the second is true.
    RUNNING_LATE wants ``details`` with the ``minutes``.
    """
    appointment = (
        Appointment.objects.select_for_update(of=("self",)).select_related("clinic", "patient").get(pk=appointment.pk)
    )
    same = appointment.communications.filter(revision=appointment.revision, kind=kind)
    if same.filter(reference=serial_of).exists():
        return
    same.filter(state=State.PLANNED).update(state=State.SUPPRESSED, reason=Reason.SUPERSEDED)
    last = same.order_by("-serial").values_list("serial", flat=True).first()
    for person in rules.recipients(appointment.patient):
        for channel in rules.channels(appointment.clinic, kind):
            _plan(
                appointment,
                person,
                kind,
                channel,
                due_at=timezone.now() + after,
                serial=0 if last is None else last + 1,
                reference=serial_of,
                details=details or {},
            )


def _plan_form(appointment: Appointment, person: RelatedPerson | None, now: datetime) -> None:
    due_at = _form_due(appointment)
    if due_at is not None:
        reason = Reason.TOO_LATE if due_at < now else Reason.NONE
        _plan(appointment, person, Kind.FORM_MISSING, Channel.EMAIL, due_at=due_at, reason=reason)


def _form_due(appointment: Appointment) -> datetime | None:
    """When missing answers are asked for; None where the clinic does not ask."""
    lead = timedelta(minutes=ReminderPolicy.of(appointment.clinic).form_lead)
    quiet = rules.quiet_hours(appointment.patient)
    return quiet.last_before(remind_at(appointment.start, lead, quiet.zone)) if lead else None


def _plan(
    appointment: Appointment,
    person: RelatedPerson | None,
    kind: Communication.Kind,
    channel: Communication.Channel,
    *,
    due_at: datetime,
    lead: int = 0,
    serial: int = 0,
    reason: Communication.Reason = Reason.NONE,
    **fields: Any,
) -> None:
    if person is not None and not rules.is_told(person, kind, due_at):
        return
    if not rules.address_of(person or appointment.patient, channel):
        whole = Communication(patient=appointment.patient, related_person=person, kind=kind, channel=channel)
        instead = rules.goes_to_proxy(whole, max(due_at, timezone.now()))
        reason = Reason.TO_PROXY if instead else Reason.NO_ADDRESS
    Communication.objects.get_or_create(
        appointment=appointment,
        related_person=person,
        revision=appointment.revision,
        kind=kind,
        lead=lead,
        channel=channel,
        serial=serial,
        defaults={"due_at": due_at, "state": State.SUPPRESSED if reason else State.PLANNED, "reason": reason} | fields,
    )
