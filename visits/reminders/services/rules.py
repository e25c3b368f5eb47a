"""Whether a message may go out, until when it helps, and when it must wait. Asked when planning and when sending."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.contact import e164
from accounts.models import Clinic, Patient, RelatedPerson
from accounts.policy import Action, Role
from visits.booking.models import Appointment
from visits.intake import services as intake
from visits.reminders.models import Communication, ReminderPolicy
from visits.reminders.quiet import CANNOT_WAIT, QuietHours
from visits.reminders.services import preferences
from visits.schedule.hours import day_of
from visits.schedule.models import VisitType

Kind = Communication.Kind
Channel = Communication.Channel
State = Communication.State
Reason = Communication.Reason
Status = Appointment.Status

# Told at once by e-mail, which wakes nobody: somebody has just booked, moved or cancelled, or lets somebody act.
AT_ONCE = {Kind.CONFIRMATION, Kind.RESCHEDULE, Kind.CANCELLATION, Kind.GRANT}
# Who unsubscribes from e-mail still hears by it of what becomes of the visit. STOP ends every text message.
OPTIONAL = {Kind.REMINDER, Kind.FORM_MISSING, Kind.OFFER, Kind.SUMMARY, Kind.MISSED}
BY_SMS = {*AT_ONCE, Kind.REMINDER, Kind.CLINICIAN_WAITING, Kind.RUNNING_LATE, Kind.OFFER, Kind.SUMMARY}
# Of these a text message never wakes anybody.
CAN_WAIT = {Kind.REMINDER, Kind.OFFER, Kind.SUMMARY}
# In which state the visit must be for what is not about one that is to come.
AFTERWARDS = {Kind.CANCELLATION: Status.CANCELLED, Kind.SUMMARY: Status.FULFILLED, Kind.MISSED: Status.NOSHOW}
# Which of the rights of who acts for a patient one needs to be told of this: any of them.
NEEDS = {Kind.SUMMARY: {Action.SUMMARY_READ}, Kind.FORM_MISSING: {Action.VISIT_CHECK_IN},
         Kind.OFFER: {Action.VISIT_CHANGE_OWN},
         Kind.GRANT: {Action.VISIT_CHANGE_OWN, Action.VISIT_JOIN, Action.SUMMARY_READ}}  # fmt: skip
TOLD_OF_VISITS = {Action.VISIT_CHANGE_OWN, Action.VISIT_JOIN}
# Said once of visits that were booked together, and in which state they must be for it.
OF_SERIES = {Kind.CONFIRMATION: Status.BOOKED, Kind.RESCHEDULE: Status.BOOKED, Kind.CANCELLATION: Status.CANCELLED}
# How long what one visit says waits for that of an earlier one, which may say it too.
SERIES_PAUSE = timedelta(seconds=30)
# How long a message still helps: from when it was planned, or after the visit's end.
HELPS_FOR = {Kind.SUMMARY: timedelta(days=14), Kind.GRANT: timedelta(days=3),
             Kind.CLINICIAN_WAITING: timedelta(minutes=15)}  # fmt: skip
HELPS_AFTER = {Kind.MISSED: timedelta(days=3)}
# A reminder so many minutes before the visit says how soon it begins: not to who has just heard that it is late.
SHORT = 60
HEARD_FOR = timedelta(hours=1)
NOT_HEARD = {State.SUPPRESSED, State.FAILED}


def why_not(message: Communication, *, now: datetime) -> Communication.Reason:
    """Why this message must not go out now, by the state of the visit now; NONE if it may."""
    reason = _visit_says(message) or _grant_says(message, now) or _address_says(message)
    if not reason and now >= deadline(message):
        reason = Reason.TOO_LATE
    return reason or _need_says(message, now) or _series_says(message)


def deadline(message: Communication) -> datetime:
    """From when on a message would only confuse. Somebody asked for a repeat, so it has until the end."""
    if message.kind == Kind.OFFER:
        return _until(message)
    if message.kind in HELPS_FOR:
        # A summary may be written, corrected and asked for long after the visit.
        return message.planned_at + HELPS_FOR[Kind(message.kind)]
    visit = message.visit
    if message.kind == Kind.REMINDER and message.serial == 0:
        # Two reminders at once say the same.
        same = visit.communications.filter(
            kind=Kind.REMINDER,
            revision=message.revision,
            channel=message.channel,
            related_person=message.related_person,
        )
        rest = same.filter(lead__lt=message.lead).exclude(state=State.SUPPRESSED).order_by("-lead")
        following = rest.values_list("due_at", flat=True).first()
        return min(following or visit.start, visit.start)
    if message.kind == Kind.FORM_MISSING:
        return visit.start
    if message.kind == Kind.RUNNING_LATE and (minutes := message.details.get("minutes")):
        return visit.start + timedelta(minutes=minutes)
    return visit.end + HELPS_AFTER.get(Kind(message.kind), timedelta(0))


def minutes_late(message: Communication) -> int:
    """By how much the visit begins later than a short reminder would say, as far as its recipient was to be told."""
    word = _word_of_delay(message)
    return int(word.details["minutes"]) if word else 0


def is_its_time(message: Communication, now: datetime) -> bool:
    """Whether the message can still be of use, as far as visit and clock say."""
    return not _visit_says(message) and now < deadline(message)


def waits_until(message: Communication, *, now: datetime) -> datetime | None:
    """When this message may go out, if its patient is not to be disturbed now, or another may say it too.

    The end of the quiet hours, unless the visit begins before: then it cannot wait. What a member of staff sends
    again, or the patient asks for, does not wait either.
    """
    if _waits_for_series(message):
        return now + SERIES_PAUSE
    is_asked_for = message.serial > 0 and not message.reference
    if is_asked_for or _patient_asked(message) or (message.channel == Channel.EMAIL and message.kind in AT_ONCE):
        return None
    hours = quiet_hours(message.patient).around(now)
    if hours is None:
        return None
    visit = message.appointment
    if visit is not None and message.kind in BY_SMS and message.kind not in CAN_WAIT:
        return hours[1] if visit.start - CANNOT_WAIT >= hours[1] else None
    if visit is not None and visit.start - now <= CANNOT_WAIT and visit.is_open:
        return None
    return hours[1]


def named_with(message: Communication) -> list[list[Any]]:
    """Which other visits of its series, as [id, revision], this message names, so that theirs need not go out."""
    waiting = _in_series(message).filter(state__in=[State.PLANNED, State.CLAIMED])
    rows = waiting.filter(appointment__status=OF_SERIES.get(Kind(message.kind)), revision=F("appointment__revision"))
    return [[str(pk), revision] for pk, revision in rows.order_by("start").values_list("appointment_id", "revision")]


def is_named(message: Communication) -> bool:
    """Whether what was handed over of another visit of its series says this, too."""
    handed_over = _in_series(message).filter(dispatched_at__isnull=False).values_list("details", flat=True)
    return any(_this(message) in details.get("named", []) for details in handed_over)


def quiet_hours(patient: Patient) -> QuietHours:
    """The clinic's quiet hours on the patient's clock."""
    policy = ReminderPolicy.of(patient.clinic)
    return QuietHours(policy.quiet_from, policy.quiet_until, patient.home_zone)


def channels(clinic: Clinic, kind: Communication.Kind) -> list[Communication.Channel]:
    """By which channels the clinic tells of this."""
    is_texted = kind in BY_SMS and ReminderPolicy.of(clinic).sms
    return [Channel.EMAIL, Channel.SMS] if is_texted else [Channel.EMAIL]


def reached_by(patient: Patient, kind: Communication.Kind) -> list[Communication.Channel]:
    """By which of the clinic's channels this reaches the patient, or who acts for them: the address works, and they did
    not say no."""
    now = timezone.now()

    def is_reached(person: RelatedPerson | None, channel: Communication.Channel) -> bool:
        message = Communication(patient=patient, related_person=person, kind=kind, channel=channel)
        return not (_grant_says(message, now) or _address_says(message))

    people = recipients(patient)
    return [one for one in channels(patient.clinic, kind) if any(is_reached(person, one) for person in people)]


def recipients(patient: Patient) -> list[RelatedPerson | None]:
    """To whom messages about the patient are planned: to themselves (None) and to each who acts for them.

    Whether one goes out is decided when it is sent, by the grants that there are then.
    """
    grants = RelatedPerson.objects.select_related("patient__clinic").filter(patient=patient, revoked_at=None)
    return [None, *grants.exclude(messages=RelatedPerson.Messages.PATIENT)]


def address_of(recipient: Patient | RelatedPerson, channel: str) -> str:
    """Where they are reached by ``channel``; empty when nowhere.

    A phone number is read as the clinic writes it, wherever the patient is now: abroad the same digits may be somebody.
    """
    return recipient.email if channel == Channel.EMAIL else e164(recipient.phone, recipient.clinic.time_zone)


def is_told(person: RelatedPerson, kind: str, now: datetime) -> bool:
    """Whether who acts for a patient is told of this now."""
    needed = NEEDS.get(Kind(kind), TOLD_OF_VISITS)
    # To whom messages about visits go says nothing of who stands in the patient's place.
    wants = kind == Kind.GRANT or person.messages != RelatedPerson.Messages.PATIENT
    return wants and person.is_active(now) and any(person.covers(action) for action in needed)


def goes_to_proxy(message: Communication, now: datetime) -> bool:
    """Whether somebody who acts for the patient is told of this instead of the patient; never of who acts for them."""
    if message.kind == Kind.GRANT:
        return False
    instead = [one for one in recipients(message.patient) if one and one.messages == RelatedPerson.Messages.PROXY]
    return message.related_person is None and any(is_told(one, message.kind, now) for one in instead)


def _visit_says(message: Communication) -> Communication.Reason:
    visit = message.appointment
    if visit is None:
        return Reason.NONE
    kind = Kind(message.kind)
    is_time = visit.status == AFTERWARDS[kind] if kind in AFTERWARDS else visit.is_open
    if is_time:
        return Reason.NONE if message.revision == visit.revision or kind == Kind.OFFER else Reason.SUPERSEDED
    if visit.status == Status.CANCELLED:
        return Reason.CANCELLED
    return Reason.SUPERSEDED if kind in AFTERWARDS or message.revision != visit.revision else Reason.OVER


def _grant_says(message: Communication, now: datetime) -> Communication.Reason:
    person = message.related_person
    if message.kind == Kind.GRANT and not message.patient.is_active:
        return Reason.NOT_NEEDED  # a closed record opens nothing to anybody
    if person is not None:
        return Reason.NONE if is_told(person, message.kind, now) else Reason.NOT_PROXY
    return Reason.TO_PROXY if goes_to_proxy(message, now) else Reason.NONE


def _address_says(message: Communication) -> Communication.Reason:
    recipient, channel = message.recipient, message.channel
    if channel == Channel.SMS and not ReminderPolicy.of(recipient.clinic).sms:
        return Reason.CHANNEL_OFF
    address = address_of(recipient, channel)
    if not address:
        return Reason.NO_ADDRESS
    known = preferences.of(recipient, channel)
    if known is None:
        return Reason.NONE
    is_wanted = _patient_asked(message) or message.kind not in OPTIONAL
    if known.opted_out_at and (channel == Channel.SMS or not is_wanted):
        return Reason.OPTED_OUT
    return Reason.BOUNCED if known.bounced_at and known.bounced_address == address else Reason.NONE


def _patient_asked(message: Communication) -> bool:
    """Whether the patient asked for this very message."""
    return bool(message.details.get("asked"))


def _need_says(message: Communication, now: datetime) -> Communication.Reason:
    """Nobody is reminded of what they do already, asked for what they gave, or offered what is not to be had."""
    if message.kind == Kind.OFFER:
        return Reason.NONE if _offer_stands(message) else Reason.NOT_NEEDED
    if message.kind == Kind.RUNNING_LATE:
        return Reason.NOT_NEEDED if _is_let_in(message.visit) else Reason.NONE
    if message.kind == Kind.CLINICIAN_WAITING:
        return Reason.NOT_NEEDED if _is_in_the_call(message.visit) else Reason.NONE
    if message.kind not in {Kind.REMINDER, Kind.FORM_MISSING}:
        return Reason.NONE
    visit = message.visit
    is_ready = message.kind == Kind.FORM_MISSING and _has_answered(visit)
    if is_ready or visit.status == Status.ARRIVED or _heard_just_now(_word_of_delay(message), now):
        return Reason.NOT_NEEDED
    return Reason.NONE


def _heard_just_now(word: Communication | None, now: datetime) -> bool:
    return word is not None and word.state not in NOT_HEARD and word.due_at > now - HEARD_FOR


def _word_of_delay(message: Communication) -> Communication | None:
    """What this recipient was told last, in the same way, of a delay that stands when a reminder would say how soon the
    visit begins."""
    if message.kind != Kind.REMINDER or message.lead > SHORT:
        return None
    visit = message.visit
    words = visit.communications.filter(
        kind=Kind.RUNNING_LATE,
        revision=visit.revision,
        channel=message.channel,
        related_person=message.related_person,
    )
    last = words.exclude(reason=Reason.SUPERSEDED).order_by("-serial").first()
    if last is None or not last.details["minutes"]:
        return None
    # Who is late only the waiting room knows, a floor above: by the name of its relation.
    day = day_of(visit.clinic, visit.start)
    late = Appointment.objects.filter(pk=visit.pk, practitioner__delays__day=day, practitioner__delays__minutes__gt=0)
    return last if late.exists() else None


def _in_series(message: Communication) -> QuerySet[Communication]:
    """What says the same of the other visits that were booked together, to the same person in the same way."""
    visit = message.appointment
    if visit is None or visit.series_id is None or message.kind not in OF_SERIES or message.serial:
        return Communication.objects.none()
    same = Communication.objects.filter(kind=message.kind, serial=0, appointment__series=visit.series_id)
    return same.filter(channel=message.channel, related_person=message.related_person).exclude(appointment=visit)


def _waits_for_series(message: Communication) -> bool:
    """Whether that of an earlier visit is still to go out, which then names this one."""
    waiting = _in_series(message).filter(state__in=[State.PLANNED, State.CLAIMED])
    return any(start < message.visit.start for start in waiting.values_list("appointment__start", flat=True))


def _series_says(message: Communication) -> Communication.Reason:
    """Visits booked together are confirmed, moved or cancelled by one message: of the first still to be told of."""
    went_out = _in_series(message).filter(state__in=[State.SENT, State.UNKNOWN]).values_list("details", flat=True)
    is_said = any(_this(message) in details.get("named", []) for details in went_out)
    return Reason.IN_SERIES if is_said else Reason.NONE


def _this(message: Communication) -> list[Any]:
    """How a message names the visit of this one."""
    return [str(message.appointment_id), message.revision]


def _has_answered(visit: Appointment) -> bool:
    """Whether details, agreement and questions are settled; by phone only questions are asked."""
    if not intake.is_settled(visit):
        return False
    # Check-in is no floor below, so this asks by the names of its relations to a visit.
    agreed = Appointment.objects.filter(pk=visit.pk, check_in__details_at__isnull=False, consent__isnull=False)
    return visit.mode == VisitType.Mode.PHONE or agreed.exists()


def _is_let_in(visit: Appointment) -> bool:
    """Whether the visit has begun for its patient: they were called in."""
    # The waiting room and the call are no floors below either.
    return Appointment.objects.filter(pk=visit.pk, ticket__admitted_at__isnull=False).exists()


def _is_in_the_call(visit: Appointment) -> bool:
    """Whether the patient, or who acts for them, is in the call now."""
    present = Appointment.objects.filter(
        pk=visit.pk,
        encounter__seats__role__in=[Role.PATIENT, Role.PROXY],
        encounter__seats__presences__joined_at__isnull=False,
        encounter__seats__presences__left_at=None,
    )
    return present.exists()


def _offer_stands(message: Communication) -> bool:
    """Whether the offer is open: not answered, run out or withdrawn. One that is still to be made has no reference."""
    if message.appointment is None or not message.reference:
        return True
    # The waitlist is no floor below: by the names of its relations, too.
    entries = Appointment.objects.filter(pk=message.appointment.pk, waitlist_entries__offers__state="open")
    return message.reference in map(str, entries.values_list("waitlist_entries__offers", flat=True))


def _until(message: Communication) -> datetime:
    until = parse_datetime(message.details["until"])
    if until is None:
        raise ValueError("An offer says until when.")
    return until
