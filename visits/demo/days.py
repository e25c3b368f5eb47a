"""Days that look lived in: what came before is done, somebody waits, more is booked."""

import random
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from accounts.links.services import hash_token
from accounts.models import AccessLink, Clinic, Patient, Practitioner
from accounts.policy import Role
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn, Consent, ConsentText
from visits.demo import questions
from visits.demo.lines import minutes_of
from visits.reminders.models import Communication
from visits.reminders.services import suppress
from visits.reminders.services.planning import MISSED_AFTER, reminders
from visits.reminders.services.rules import address_of, channels
from visits.room.models import Encounter, LineMinute, Presence, Seat
from visits.schedule.hours import zone_of
from visits.schedule.models import VisitType
from visits.schedule.rules import Hours, Rules
from visits.schedule.wall_clock import DAY, wall_of
from visits.waiting.models import Ticket

Status = Appointment.Status
Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason

GRID = timedelta(minutes=10)
LEFT_OPEN = timedelta(hours=3)
# When people see a clinician if they can choose. Around now some do at any hour, so that there is somebody to try with.
OPENS, CLOSES = time(8), time(18)
AROUND_NOW = timedelta(minutes=80)
# Clinician, minutes from now, visit type, and what became of it.
TODAY = [
    (0, -240, "Follow-up", Status.FULFILLED),
    (0, -210, "Follow-up", Status.FULFILLED),
    (0, -180, "Follow-up", Status.NOSHOW),
    (0, -150, "New patient", Status.FULFILLED),
    (0, -100, "Follow-up", Status.CANCELLED),
    (0, -60, "Follow-up", Status.FULFILLED),
    (0, -20, "Follow-up", Status.ARRIVED),
    (0, 40, "Follow-up", Status.BOOKED),
    (0, 80, "Follow-up", Status.BOOKED),
    (0, 120, "New patient", Status.BOOKED),
    (0, 200, "Follow-up", Status.BOOKED),
    (0, 260, "Follow-up", Status.BOOKED),
    (1, -230, "New patient", Status.FULFILLED),
    (1, -170, "Follow-up", Status.FULFILLED),
    (1, -90, "Follow-up", Status.NOSHOW),
    (1, -40, "Follow-up", Status.FULFILLED),
    (1, 10, "Follow-up", Status.ARRIVED),
    (1, 50, "Follow-up", Status.BOOKED),
    (1, 110, "Follow-up", Status.BOOKED),
    (1, 170, "New patient", Status.BOOKED),
    (2, -190, "New patient", Status.FULFILLED),
    (2, -80, "Follow-up", Status.FULFILLED),
    (2, -10, "Short check-in", Status.ARRIVED),
    (2, 30, "Follow-up", Status.BOOKED),
    (2, 90, "Follow-up", Status.BOOKED),
    (2, 150, "Follow-up", Status.BOOKED),
]
PAST_DAYS, COMING_DAYS = 7, 5
ENDINGS = [*[Status.FULFILLED] * 7, Status.NOSHOW, Status.CANCELLED]
# How many minutes after the booked time a visit begins, and how many before it the patient comes.
LATE, EARLY = (0, 1, 1, 2, 2, 3, 4, 6, 8), (3, 5, 6, 8, 9, 10, 12, 14)
_SENIORITY = {"amara": 0, "noor": 1, "mei": 2}


class Days:
    """Fills the calendar of one clinic around ``now``; patients take turns."""

    def __init__(self, clinic: Clinic, patients: list[Patient], now: datetime) -> None:
        self.clinic = clinic
        self.now = now
        self.zone = zone_of(clinic)
        self.today = now.astimezone(self.zone).date()
        # Who is new has no visits yet.
        self.practitioners = list(clinic.practitioners.select_related("user").prefetch_related("availability"))
        self.practitioners.sort(key=lambda one: (_SENIORITY.get(one.user.email.split(".")[0], 9), one.name))
        self.types = {one.name: one for one in VisitType.objects.filter(clinic=clinic)}
        self.patients = patients
        # The same calendar each time: nothing secret hangs on it.
        self.random = random.Random(7)  # noqa: S311
        self.turn = 0

    def fill_week(self) -> None:
        for offset in range(-PAST_DAYS, COMING_DAYS + 1):
            if offset:
                self._fill_day(offset)

    def fill_today(self) -> None:
        """As TODAY says, by everybody's hours; what need not be around now lies in the daytime."""
        for who, minutes, type_name, status in TODAY:
            practitioner, visit_type = self.practitioners[who], self.types[type_name]
            start = self._start_today(timedelta(minutes=minutes))
            if start is None:
                continue
            if status == Status.ARRIVED:
                start = max(start, self._today_at(time.min))  # just after midnight: whoever waits is on today's list
            if self._works(practitioner, start, start + timedelta(minutes=visit_type.minutes)):
                self._place(practitioner, visit_type, start, status)

    def _start_today(self, offset: timedelta) -> datetime | None:
        now, opens, closes = _on_grid(self.now), self._today_at(OPENS), self._today_at(CLOSES)
        if abs(offset) <= AROUND_NOW:
            return now + offset
        start = min(now, closes) + offset if offset < timedelta(0) else max(now, opens) + offset
        return start if opens <= start < closes else None

    def _today_at(self, clock: time) -> datetime:
        return datetime.combine(self.today, clock, self.zone).astimezone(UTC)

    def _works(self, practitioner: Practitioner, start: datetime, end: datetime) -> bool:
        begins, ends = wall_of(start, self.zone), wall_of(end, self.zone)
        hours = [Hours(row.weekday, row.start_time, row.end_time) for row in practitioner.availability.all()]
        day = begins.date()
        return any(opens <= begins and ends <= closes for opens, closes in Rules(hours).open_between(day, day + DAY))

    def _fill_day(self, offset: int) -> None:
        day = self.today + timedelta(days=offset)
        weekend = day.weekday() >= 5
        for practitioner in self.practitioners[: 1 if weekend else 3]:
            for start in self._office_times(day, 3 if weekend else 7):
                name = self.random.choice(["Follow-up", "Follow-up", "New patient"])
                status = self.random.choice(ENDINGS) if offset < 0 else Status.BOOKED
                self._place(practitioner, self.types[name], start, status)

    def _office_times(self, day: date, count: int) -> Iterator[datetime]:
        """Some of the day's times that are 40 minutes apart, so that any visit fits, on every type's slots."""
        opens = datetime.combine(day, OPENS, self.zone)
        for number in sorted(self.random.sample(range(13), count)):
            yield (opens + timedelta(minutes=40 * number)).astimezone(UTC)

    def _place(
        self, practitioner: Practitioner, visit_type: VisitType, start: datetime, status: Appointment.Status
    ) -> None:
        end = start + timedelta(minutes=visit_type.minutes)
        patient = self._next_patient(start, end)
        taken = Appointment.objects.filter(start__lt=end, end__gt=start, practitioner=practitioner)
        if patient is None or taken.exists():
            return
        visit = Appointment.objects.create(
            clinic=self.clinic,
            practitioner=practitioner,
            patient=patient,
            visit_type=visit_type,
            start=start,
            end=end,
            status=status,
            revision=1 if status == Status.CANCELLED else 0,
            created_at=min(self.now, start) - timedelta(days=5, minutes=self.random.randrange(600)),
        )
        live(visit, self.now)
        if status == Status.BOOKED and start < self.now + timedelta(hours=2) and self.turn % 2:
            _check_in(visit, self.now - timedelta(minutes=30))

    def _next_patient(self, start: datetime, end: datetime) -> Patient | None:
        busy = set(
            Appointment.objects.filter(clinic=self.clinic, start__lt=end, end__gt=start).values_list(
                "patient_id", flat=True
            )
        )
        for _ in self.patients:
            self.turn += 1
            patient = self.patients[self.turn % len(self.patients)]
            if patient.pk not in busy:
                return patient
        return None


def live(visit: Appointment, now: datetime) -> None:
    """Give a visit the traces that its state would have left: messages, check-in, place in line, encounter."""
    write_ledger(visit, now, planned_at=visit.created_at)
    if visit.status == Status.ARRIVED:
        _check_in(visit, now - timedelta(minutes=12))
        Ticket.objects.create(
            appointment=visit, arrived_at=now - timedelta(minutes=9), seen_at=now - timedelta(minutes=2)
        )
    elif visit.status == Status.FULFILLED:
        _check_in(visit, visit.start - timedelta(minutes=14))
        _hold(visit)


def close_old(clinic: Clinic, now: datetime) -> None:
    """What was left open hours ago is over: who came was seen, who did not was missed."""
    for visit in clinic.appointments.filter(end__lt=now - LEFT_OPEN, status__in=[Status.BOOKED, Status.ARRIVED]):
        came = visit.status == Status.ARRIVED
        visit.status = Status.FULFILLED if came else Status.NOSHOW
        visit.save(update_fields=["status"])
        suppress(visit, Reason.OVER)
        Encounter.objects.filter(appointment=visit, status=Encounter.Status.IN_PROGRESS).update(
            status=Encounter.Status.FINISHED, ended_at=now
        )
        if came and not Encounter.objects.filter(appointment=visit).exists():
            Ticket.objects.filter(appointment=visit).delete()
            _hold(visit)


def is_quiet(clinic: Clinic, now: datetime) -> bool:
    """Whether nothing is booked for the next hours."""
    soon = (now + timedelta(minutes=30), now + timedelta(hours=5))
    return not clinic.appointments.filter(status=Status.BOOKED, start__range=soon).exists()


def write_ledger(
    visit: Appointment,
    now: datetime,
    *,
    planned_at: datetime,
    first: Communication.Kind = Kind.CONFIRMATION,
    details: dict[str, Any] | None = None,
) -> None:
    """The messages of the visit as it is, planned when it was booked or moved (``first`` says so, with its details).

    Those whose time has passed are noted as sent, though nobody got a mail; the others will go out.
    """
    rows = [_row(visit, now, planned_at, row) for row in reminders(visit, planned_at)]
    rows += told(visit, first, planned_at, **(details or {}))
    if visit.status == Status.NOSHOW:
        rows += told(visit, Kind.MISSED, visit.start + MISSED_AFTER)
    elif visit.status == Status.CANCELLED:
        rows += told(visit, Kind.CANCELLATION, visit.start - timedelta(hours=20))
    Communication.objects.bulk_create(rows)


def told(visit: Appointment, kind: Communication.Kind, at: datetime, **details: Any) -> list[Communication]:
    """Unsaved: what went out at once about something that happened ``at``, by each channel of the clinic."""
    return [
        _row(visit, at, at, {"channel": channel, "due_at": at, "details": details}, kind)
        for channel in channels(visit.clinic, kind)
    ]


def _row(
    visit: Appointment,
    now: datetime,
    planned_at: datetime,
    fields: dict[str, Any],
    kind: Communication.Kind = Kind.REMINDER,
) -> Communication:
    is_before_the_end = visit.status == Status.CANCELLED and kind != Kind.CANCELLATION
    row = Communication(
        appointment=visit,
        patient=visit.patient,
        start=visit.start,
        revision=visit.revision - is_before_the_end,
        planned_at=planned_at,
        kind=kind,
        **fields,
    )
    row.state = State.SUPPRESSED if row.reason else State.PLANNED
    if not address_of(visit.patient, row.channel):
        row.state, row.reason = State.SUPPRESSED, Reason.NO_ADDRESS
    elif is_before_the_end and kind == Kind.REMINDER:
        row.state, row.reason = State.SUPPRESSED, Reason.CANCELLED
    elif row.state == State.PLANNED and row.due_at <= now:
        row.state, row.sent_at, row.attempts = State.SENT, row.due_at + timedelta(seconds=3), 1
        row.claimed_at = row.dispatched_at = row.sent_at
    elif row.state == State.PLANNED and visit.status != Status.BOOKED:
        row.state, row.reason = State.SUPPRESSED, Reason.OVER
    return row


def _check_in(visit: Appointment, at: datetime) -> None:
    text = ConsentText.objects.filter(clinic=visit.clinic, language=visit.patient.language).latest("version")
    Consent.objects.create(appointment=visit, patient=visit.patient, text=text, given_at=at)
    CheckIn.objects.create(
        appointment=visit,
        callback_phone=visit.patient.phone,
        location="At home",
        emergency_contact="",
        details_at=at,
        camera=CheckIn.Device.OK,
        microphone=CheckIn.Device.OK,
        devices_at=at + timedelta(minutes=1),
    )
    questions.answer(visit, at)


def _hold(visit: Appointment) -> None:
    """An encounter in which clinician and patient were present to the end, and which began as such do."""
    chance = random.Random(visit.start.isoformat())  # noqa: S311
    began, ended = visit.start + timedelta(minutes=chance.choice(LATE)), visit.end - timedelta(minutes=1)
    user = visit.practitioner.user
    Ticket.objects.create(
        appointment=visit,
        arrived_at=visit.start - timedelta(minutes=chance.choice(EARLY)),
        admitted_at=began,
        admitted_by=user,
    )
    encounter = Encounter.objects.create(
        appointment=visit,
        status=Encounter.Status.FINISHED,
        started_at=began,
        ended_at=ended,
        ended_by=user,
        encryption=visit.clinic.encryption,
    )
    link = link_of(visit)
    link.save()
    for seat in seats_of(encounter, link):
        seat.save()
        presence_of(seat).save()
        LineMinute.objects.bulk_create(minutes_of(seat, chance))


def link_of(visit: Appointment) -> AccessLink:
    """Unsaved: what the patient of a visit that is over came in by."""
    return AccessLink(
        token_hash=hash_token(secrets.token_urlsafe(32)),
        kind=AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        patient=visit.patient,
        resource_id=visit.pk,
        created_at=visit.created_at,
        expires_at=visit.end,
        revoked_at=visit.end,
        first_used_at=visit.start - timedelta(minutes=14),
    )


def seats_of(encounter: Encounter, link: AccessLink) -> list[Seat]:
    """Unsaved: the clinician's, then the patient's."""
    visit = encounter.appointment
    return [
        Seat(
            encounter=encounter,
            user=visit.practitioner.user,
            name=visit.practitioner.name,
            role=Role.CLINICIAN,
            epoch=1,
        ),
        Seat(encounter=encounter, link=link, name=visit.patient.full_name, role=Role.PATIENT, epoch=1),
    ]


def presence_of(seat: Seat) -> Presence:
    """Unsaved: to the end of an encounter that is over; the patient came a little later."""
    began, ended = seat.encounter.started_at, seat.encounter.ended_at or seat.encounter.started_at
    return Presence(
        seat=seat,
        epoch=1,
        joined_at=began + timedelta(seconds=20 if seat.link else 0),
        seen_at=ended,
        left_at=ended,
        left_why="ended",
    )


def _on_grid(moment: datetime) -> datetime:
    """The 10 minutes that ``moment`` lies in: where slots of every type may start."""
    return moment - (moment - datetime.min.replace(tzinfo=UTC)) % GRID
