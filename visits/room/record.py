"""What the record of a visit shows. Reads only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.models import Appointment
from visits.booking.services import together_with
from visits.reminders import services as reminders
from visits.room import presence
from visits.room.models import Encounter, Seat
from visits.room.services import encounter_of, open_to
from visits.room.timeline import headings, lines_of
from visits.waiting.calls import is_call, may_have_taken_place, number_of
from visits.waiting.models import Ticket
from visits.waiting.services import is_due

# A reload or a changed network: the next copy was connected this soon after the last.
ONE_STAY = timedelta(seconds=20)


@dataclass
class Stay:
    """One stretch in which a person was there, over all copies of theirs."""

    joined_at: datetime
    left_at: datetime | None
    why: str


@dataclass
class Person:
    name: str
    role: str
    stays: list[Stay]


@dataclass
class Chip:
    css: str
    icon: str
    word: str


def record_of(principal: Principal, visit: Appointment) -> dict[str, Any]:
    """The parts of the page, and which of its buttons this person has."""
    encounter = encounter_of(visit.pk)
    return {
        "encounter": encounter,
        "chip": chip_of(visit, encounter),
        "people": people_of(encounter) if encounter else [],
        "lines": lines_of(encounter) if encounter else [],
        "line_headings": headings(),
        "ledger": reminders.lines_of(principal, visit, visit.communications.order_by("due_at", "planned_at")),
        "changes": visit.changes.select_related("by", "practitioner", "old_practitioner"),
        "ticket": ticket_of(visit),
        "check_in": getattr(visit, "check_in", None),
        "consent": getattr(visit, "consent", None),
        "may_open": principal.may(Action.VISIT_JOIN) and open_to(principal, visit),
        "together": together_with(visit),
        "is_call": is_call(visit),
        "number": number_of(visit) if is_call(visit) else "",
        "may_finish_call": principal.may(Action.VISIT_END) and may_have_taken_place(visit),
        "may_admit": principal.may(Action.VISIT_ADMIT) and waits_for_admission(visit),
        "may_miss": principal.may(Action.VISIT_CHANGE)
        and visit.is_open
        and is_due(visit)
        and not presence.patient_came(visit),
        "may_move": principal.may(Action.VISIT_CHANGE) and visit.status == Appointment.Status.BOOKED,
        "may_follow_up": principal.may(Action.VISIT_BOOK) and visit.status == Appointment.Status.FULFILLED,
        "may_cancel": principal.may(Action.VISIT_CHANGE) and visit.is_open and not _was_admitted(visit),
        "may_say_how": principal.may(Action.VISIT_CHANGE),
        "may_invite": principal.may(Action.VISIT_INVITE) and visit.is_open and not is_call(visit),
        "may_read_intake": principal.may(Action.INTAKE_READ),
    }


def people_of(encounter: Encounter) -> list[Person]:
    """Everybody who was connected, in the order of their first joining."""
    seats = encounter.seats.prefetch_related("presences").select_related("link", "related_person")
    people = [Person(seat.name, _role(seat), stays_of(seat)) for seat in seats]
    return sorted((person for person in people if person.stays), key=lambda person: person.stays[0].joined_at)


def stays_of(seat: Seat) -> list[Stay]:
    """The seat's presences, those of one stay joined."""
    stays: list[Stay] = []
    for one in seat.presences.order_by("joined_at"):
        last = stays[-1] if stays else None
        if last and last.left_at and one.joined_at - last.left_at <= ONE_STAY and last.why != presence.LEFT:
            last.left_at, last.why = one.left_at, one.left_why
        else:
            stays.append(Stay(one.joined_at, one.left_at, one.left_why))
    return stays


def chip_of(visit: Appointment, encounter: Encounter | None) -> Chip:
    """The state of the visit as silhouette, word and colour."""
    if visit.status == Appointment.Status.ARRIVED:
        if encounter and _was_admitted(visit):
            return Chip("visit", "cam", _("In visit"))
        return Chip("arrived", "door", _("Arrived"))
    css, icon = {"booked": ("booked", "cal"), "noshow": ("noshow", "noshow"), "cancelled": ("done", "x")}.get(
        visit.status, ("done", "check-c")
    )
    return Chip(css, icon, visit.get_status_display())


def waits_for_admission(visit: Appointment) -> bool:
    """Whether the patient is here and has not been let in."""
    ticket = ticket_of(visit)
    return visit.status == Appointment.Status.ARRIVED and ticket is not None and ticket.admitted_at is None


def ticket_of(visit: Appointment) -> Ticket | None:
    return Ticket.objects.filter(appointment=visit).first()


def _was_admitted(visit: Appointment) -> bool:
    ticket = ticket_of(visit)
    return ticket is not None and ticket.admitted_at is not None


def _role(seat: Seat) -> str:
    if seat.link and seat.role == Role.GUEST:
        return seat.link.relationship_label
    if seat.related_person is not None:
        return seat.related_person.relationship_label
    return Role(seat.role).label
