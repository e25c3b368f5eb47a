"""The Today board: what is true of the day's visits now, in the order in which it matters."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from accounts.models import AccessLink, Clinic, User
from accounts.principal import Principal
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn
from visits.intake.models import QuestionnaireResponse
from visits.reminders.models import Communication, Confirmation
from visits.schedule.hours import bounds_of_day, day_of
from visits.waiting.calls import is_call, may_have_taken_place, number_of
from visits.waiting.late import delays
from visits.waiting.models import Delay, Ticket
from visits.waiting.services import in_order

NEW_FOR = timedelta(seconds=60)
LATE_AFTER = timedelta(minutes=20)
MOMENT_FOR = timedelta(minutes=5)

Status = Appointment.Status
Device = CheckIn.Device

COLUMNS: dict[str, Promise] = {
    "reminder": gettext_lazy("Reminder"),
    "details": gettext_lazy("Details"),
    "consent": gettext_lazy("Consent"),
    "intake": gettext_lazy("Questions"),
    "device": gettext_lazy("Device"),
}
LIGHT_WORDS: dict[str, Promise] = {
    "ok": gettext_lazy("done"),
    "no": gettext_lazy("not yet"),
    "na": gettext_lazy("not needed"),
}
# What a row is made of, beside the moments that only matter while they are fresh.
SHOWN = (
    "status",
    "start",
    "visit_type_id",
    "ticket__admitted_at",
    "ticket__moment_at",
    "check_in__details_at",
    "check_in__devices_at",
    "check_in__camera",
    "check_in__microphone",
    "consent__given_at",
    "visit_type__intake",
    "questionnaire_response__status",
    "confirmed",
)


@dataclass(frozen=True)
class Light:
    """One answer in the table: "ok", "no", "bad" or "na", and its words."""

    column: str
    state: str
    words: str

    @property
    def label(self) -> str:
        return str(COLUMNS[self.column])


@dataclass
class Row:
    """One visit on the board.

    ``kind`` picks chip and edge: arrived, waiting, late, away, visit, booked, call, overdue, noshow.
    """

    visit: Appointment
    kind: str
    ticket: Ticket | None = None
    minutes: int = 0
    is_next: bool = False
    is_mine: bool = False
    needs_moment: bool = False
    lights: list[Light] = field(default_factory=list)
    guests: list[AccessLink] = field(default_factory=list)

    @property
    def is_call(self) -> bool:
        """Whether staff call the patient instead of letting them in."""
        return is_call(self.visit)

    @property
    def number(self) -> str:
        return number_of(self.visit)

    @property
    def may_have_taken_place(self) -> bool:
        return may_have_taken_place(self.visit)

    @property
    def sound_only(self) -> bool:
        check_in = getattr(self.visit, "check_in", None)
        return bool(check_in and check_in.camera == Device.OFF and check_in.microphone == Device.OK)

    @property
    def device_problem(self) -> str:
        return next((light.words for light in self.lights if light.column == "device" and light.state == "bad"), "")

    @property
    def is_unanswered(self) -> bool:
        """Whether there are questions that the patient has not answered."""
        return any(light.state == "no" for light in self.lights if light.column == "intake")

    @property
    def all_ready(self) -> bool:
        return all(light.state in {"ok", "na"} for light in self.lights if light.column != "reminder")

    @property
    def language(self) -> str:
        """The patient's language where it is not the clinic's."""
        patient = self.visit.patient
        return patient.get_language_display() if patient.language != self.visit.clinic.language else ""


@dataclass
class Board:
    now: datetime
    waiting: list[Row]
    in_visit: list[Row]
    later: list[Row]
    missed: list[Row]
    finished: int
    delays: list[Delay]

    @property
    def columns(self) -> list[tuple[str, str]]:
        return [(name, str(label)) for name, label in COLUMNS.items()]


def board(principal: Principal, *, only_mine: bool, now: datetime) -> Board:
    """The day of the clinic, or of the clinician's own visits."""
    visits = _visits(principal.clinic, now)
    if only_mine:
        visits = visits.filter(practitioner__user=principal.user)
    guests = _guests(principal.clinic, now)
    rows = [_row(visit, principal, now, guests) for visit in visits]
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in {row.kind for row in rows}}
    waiting = _queue([row for row in rows if row.kind in {"arrived", "waiting", "late", "away"}])
    return Board(
        now=now,
        waiting=waiting,
        in_visit=by_kind.get("visit", []),
        later=[row for row in rows if row.visit.status == Status.BOOKED],
        missed=by_kind.get("noshow", []),
        finished=sum(visit.status == Status.FULFILLED for visit in visits),
        delays=[
            delay
            for delay in delays(principal.clinic, now)
            if not only_mine or delay.practitioner.user_id == (principal.user and principal.user.pk)
        ],
    )


@dataclass(frozen=True)
class Versions:
    """Texts that change with everything that a board shows, and with the minute, for its clock and waits."""

    clinic: str
    of_user: dict[UUID, str]  # of each clinician's own visits

    def told(self, user: User | None) -> dict[str, str]:
        """What a board is told: the clinic's version, and that of one's own visits."""
        return {"version": self.clinic, "mine": self.of_user.get(user.pk, self.clinic) if user else self.clinic}


def versions(clinic: Clinic, now: datetime) -> Versions:
    """Read often, by every socket: plain values, no objects, and the same in every language."""
    day = _of_day(clinic, now)
    more: dict[UUID, list[Any]] = {}
    for visit, *message in (
        Communication.objects.filter(appointment__in=day.values("pk"))
        .order_by("pk")
        .values_list("appointment_id", "state", "reason")
    ):
        more.setdefault(visit, []).append(message)
    for visit, guest in _guest_links(clinic, now).values_list("resource_id", "pk"):
        more.setdefault(visit, []).append(guest)
    whole = hashlib.sha256()
    own: dict[UUID | None, Any] = defaultdict(hashlib.sha256)
    for pk, user, seen_at, arrived_at, *told in day.order_by("start", "pk").values_list(
        "pk", "practitioner__user_id", "ticket__seen_at", "ticket__arrived_at", *SHOWN
    ):
        is_here, is_new = _is_within(seen_at, Ticket.HERE_FOR, now), _is_within(arrived_at, NEW_FOR, now)
        row = repr((pk, user, is_here, arrived_at, is_new, told, more.get(pk))).encode()
        whole.update(row)
        own[user].update(row)
    late = Delay.objects.filter(practitioner__clinic=clinic, day=day_of(clinic, now), minutes__gt=0)
    for user, *delay in late.order_by("pk").values_list("practitioner__user_id", "pk", "serial"):
        whole.update(repr(delay).encode())
        own[user].update(repr(delay).encode())
    minute = f"{now:%H%M}"
    return Versions(
        clinic=f"{minute}-{whole.hexdigest()[:16]}",
        of_user={user: f"{minute}-{digest.hexdigest()[:16]}" for user, digest in own.items() if user},
    )


def _is_within(moment: datetime | None, time: timedelta, now: datetime) -> bool:
    return moment is not None and now - moment <= time


def _of_day(clinic: Clinic, now: datetime) -> QuerySet[Appointment]:
    start, end = bounds_of_day(clinic, now)
    today = Q(start__gte=start, start__lt=end)
    # Midnight ends no visit: who is here stays, and who is late may still come.
    still_here = Q(status=Status.ARRIVED, end__gt=now - Appointment.LINE_CLOSES_AFTER)
    still_expected = Q(status=Status.BOOKED, end__gt=now - Appointment.LINE_CLOSES_AFTER, start__lt=end)
    day = Appointment.objects.filter(today | still_here | still_expected, clinic=clinic)
    answers = Confirmation.objects.filter(appointment=OuterRef("pk"), revision=OuterRef("revision"))
    return day.exclude(status=Status.CANCELLED).annotate(confirmed=Exists(answers))


def _visits(clinic: Clinic, now: datetime) -> QuerySet[Appointment]:
    messages = Prefetch("communications", Communication.objects.order_by("due_at", "planned_at"), to_attr="messages")
    return (
        _of_day(clinic, now)
        .select_related("clinic", "patient", "practitioner", "visit_type__intake", "ticket", "check_in", "consent")
        .select_related("questionnaire_response")
        .defer("questionnaire_response__answers")
        .prefetch_related(messages)
        .order_by("start", "practitioner__name", "pk")
    )


def _guest_links(clinic: Clinic, now: datetime) -> QuerySet[AccessLink]:
    links = AccessLink.objects.filter(clinic=clinic, kind=AccessLink.Kind.GUEST, revoked_at=None, expires_at__gt=now)
    return links.order_by("created_at")


def _guests(clinic: Clinic, now: datetime) -> dict[UUID, list[AccessLink]]:
    found: dict[UUID, list[AccessLink]] = {}
    for link in _guest_links(clinic, now):
        found.setdefault(link.resource_id, []).append(link)
    return found


def _row(visit: Appointment, principal: Principal, now: datetime, guests: dict[UUID, list[AccessLink]]) -> Row:
    ticket: Ticket | None = getattr(visit, "ticket", None)
    kind = _kind(visit, ticket, now)
    since = ticket and (ticket.admitted_at if kind == "visit" else ticket.arrived_at)
    return Row(
        visit=visit,
        kind=kind,
        ticket=ticket,
        minutes=int((now - since).total_seconds() // 60) if since else 0,
        is_mine=principal.user is not None and visit.practitioner.user_id == principal.user.pk,
        needs_moment=bool(ticket and ticket.moment_at and now - ticket.moment_at < MOMENT_FOR),
        lights=_lights(visit),
        guests=guests.get(visit.pk, []),
    )


def _kind(visit: Appointment, ticket: Ticket | None, now: datetime) -> str:
    if visit.status == Status.NOSHOW:
        return "noshow"
    if visit.status == Status.FULFILLED:
        return "finished"
    if visit.status == Status.BOOKED or ticket is None:
        is_time = visit.start <= now
        return "booked" if not is_time else "call" if is_call(visit) else "overdue"
    if ticket.admitted_at:
        return "visit"
    if now - ticket.arrived_at < NEW_FOR:
        return "arrived"
    if not ticket.is_here(now):
        return "away"
    return "late" if now - visit.start > LATE_AFTER else "waiting"


def _queue(rows: Iterable[Row]) -> list[Row]:
    """In the order of the line; who came in the last minute stands on top until then."""
    by_ticket = {row.ticket.pk: row for row in rows if row.ticket}
    line = [by_ticket[ticket.pk] for ticket in in_order([row.ticket for row in by_ticket.values() if row.ticket])]
    here = [row for row in line if row.kind != "away"]
    if line:
        (here or line)[0].is_next = True
    return sorted(line, key=lambda row: row.kind != "arrived")


def _lights(visit: Appointment) -> list[Light]:
    check_in: CheckIn | None = getattr(visit, "check_in", None)
    missing = "na" if is_call(visit) else "no"  # by phone nobody is asked for it
    return [
        _reminder_light(getattr(visit, "messages", []), is_confirmed=getattr(visit, "confirmed", False)),
        _light("details", "ok" if check_in and check_in.details_at else missing),
        _light("consent", "ok" if getattr(visit, "consent", None) else missing),
        _intake_light(visit),
        _light("device", "na") if is_call(visit) else _device_light(check_in),
    ]


def _light(column: str, state: str, words: Any = "") -> Light:
    return Light(column, state, str(words or LIGHT_WORDS[state]))


def _reminder_light(messages: list[Communication], *, is_confirmed: bool) -> Light:
    """The patient's answer, or else the last word of the ledger on telling them about the visit."""
    if is_confirmed:
        return _light("reminder", "ok", gettext("confirmed by the patient"))
    State = Communication.State
    told = [message for message in messages if message.state in {State.SENT, State.FAILED, State.UNKNOWN}]
    if told:
        last = told[-1]
        if last.state != State.SENT:
            return _light("reminder", "bad", last.get_reason_display())
        return _light("reminder", "ok", gettext("sent"))
    if any(message.reason == Communication.Reason.NO_ADDRESS for message in messages):
        return _light("reminder", "bad", Communication.Reason.NO_ADDRESS.label)
    if any(message.state in {State.PLANNED, State.CLAIMED} for message in messages):
        return _light("reminder", "no")
    return _light("reminder", "na")


def _intake_light(visit: Appointment) -> Light:
    response: QuestionnaireResponse | None = getattr(visit, "questionnaire_response", None)
    if response is None:
        return _light("intake", "no" if hasattr(visit.visit_type, "intake") else "na")
    if response.status == QuestionnaireResponse.Status.STOPPED:
        return _light("intake", "no", QuestionnaireResponse.Status.STOPPED.label)
    return _light("intake", "ok" if response.is_answered else "no")


def _device_light(check_in: CheckIn | None) -> Light:
    if check_in is None or check_in.devices_at is None:
        return _light("device", "no")
    camera, microphone = Device(check_in.camera), Device(check_in.microphone)
    if microphone not in {Device.OK, Device.UNKNOWN}:
        return _light("device", "bad", gettext("microphone %(state)s") % {"state": microphone.label})
    if camera == Device.OFF and microphone == Device.OK:
        return _light("device", "ok", gettext("sound only"))
    if camera not in {Device.OK, Device.UNKNOWN}:
        return _light("device", "bad", gettext("camera %(state)s") % {"state": camera.label})
    return _light("device", "ok" if camera == Device.OK else "no")
