"""What happens in the waiting room: people arrive, are seen, go away, are let in."""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking import services as booking
from visits.booking.access import appointment_for
from visits.booking.errors import BookingError, WrongState
from visits.booking.models import Appointment
from visits.checkin.services import is_ready, line_opens_at
from visits.live import events
from visits.reminders import services as reminders
from visits.reminders.models import Communication
from visits.waiting import late, line
from visits.waiting.calls import is_call
from visits.waiting.models import Ticket
from visits.waiting.signals import admitted, giving_up

# How long the clinician's visits take: the last ones, as far as a look may read back.
PAST_VISITS, PAST_SPAN = 20, timedelta(days=90)
# Who was let in this moment is still on the way: their page opens, their browser asks for the camera.
JUST_LET_IN = timedelta(minutes=1)


class NotWaiting(Exception):
    """There is nobody to let in: not arrived, or the visit cannot take place any more."""


class LineClosed(Exception):
    """No place in line can be taken now: too early, too late, or details are missing."""


class Phase(StrEnum):
    """Where somebody with a link to a visit stands (PROTOCOL.md)."""

    EARLY = "early"
    WAITING = "waiting"
    CALLED = "called"
    MISSED = "missed"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Look:
    """What a waiting person is told. ``position`` and ``range`` are a patient's only."""

    visit: Appointment
    ticket: Ticket | None
    phase: Phase
    position: int | None = None
    range: tuple[int, int] | None = None
    # By how many minutes the clinician says they are late for this visit.
    late: int = 0


def arrive(*, principal: Principal, visit: Appointment, again: bool = False) -> Ticket:
    """Take the patient's place in line; a reload or a second device finds the same one.

    ``again``: the patient was given up as missed and joins the line anew, at its end. Raises
    LineClosed, also for a visit by phone, booking's errors (the time of a missed visit was given
    away), Http404 for anyone but the patient.
    """
    now = timezone.now()
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_CHECK_IN, lock=True)
        phase = phase_of(visit, None, now)
        is_time = phase == Phase.WAITING or (phase == Phase.MISSED and again)
        if not is_time or is_call(visit) or not is_ready(visit, principal):
            raise LineClosed
        booking.arrive(principal=principal, visit=visit)  # its announcement gives the place: see receivers
        return Ticket.objects.get(appointment=visit)


def give_place(visit: Appointment, *, is_here: bool) -> None:
    """A new place at this moment: on arrival, and anew for who was given up as missed and comes after all."""
    now = timezone.now()
    place = {"arrived_at": now, "seen_at": now if is_here else None, "admitted_at": None, "admitted_by": None}
    Ticket.objects.update_or_create(appointment=visit, defaults={**place, "moment_at": None, "finished_at": None})


def be_here(*, principal: Principal, visit_id: uuid.UUID | str) -> None:
    """A sign of life of the patient's open page; it also takes the place as soon as the line opens."""
    visit = appointment_for(principal, visit_id, Action.VISIT_CHECK_IN)
    if visit.status == Appointment.Status.BOOKED:
        with suppress(LineClosed, BookingError):
            arrive(principal=principal, visit=visit)
    seen(visit)


def seen(visit: Appointment) -> None:
    """Keep that the patient's page is open; written once in ``Ticket.SIGN_EVERY``."""
    now = timezone.now()
    # Mostly there is nothing to write, and then no lock to take.
    ticket = Ticket.objects.filter(appointment=visit, finished_at=None).first()
    if ticket is None or (ticket.seen_at and now - ticket.seen_at < Ticket.SIGN_EVERY):
        return
    with transaction.atomic():
        Ticket.objects.filter(pk=ticket.pk).update(seen_at=now)
        if not ticket.is_here(now):
            events.board_changed(visit.clinic_id)


def last_seen(visit_id: uuid.UUID | str) -> None:
    """The page has just closed: from now on the grace runs. Who said good-bye stays away."""
    Ticket.objects.filter(appointment_id=visit_id, finished_at=None, seen_at__isnull=False).update(
        seen_at=timezone.now()
    )


def away(*, principal: Principal, visit: Appointment) -> None:
    """The patient leaves the page for now; the place is kept. Raises Http404."""
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_CHECK_IN)
        if Ticket.objects.filter(appointment=visit).update(seen_at=None):
            record("waiting.away", Audit.UPDATE, principal=principal, entity=visit, patient=visit.patient)
            events.board_changed(visit.clinic_id)


def need_a_moment(*, principal: Principal, visit: Appointment) -> None:
    """The patient was called in and says that they come in a moment; staff see it. Raises Http404."""
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_CHECK_IN)
        if Ticket.objects.filter(appointment=visit, admitted_at__isnull=False).update(moment_at=timezone.now()):
            record("waiting.moment", Audit.UPDATE, principal=principal, entity=visit, patient=visit.patient)
            events.board_changed(visit.clinic_id)
            events.visit_changed(visit.pk)


def admit(*, principal: Principal, visit: Appointment) -> Ticket:
    """Let the patient in; once, however many press at the same time: later ones get the same ticket.

    A patient whose page is closed gets a message that the clinician is waiting.

    Raises NotWaiting, and Http404 for who may not admit in this clinic.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_ADMIT, lock=True)
        tickets = Ticket.objects.select_for_update(of=("self",)).select_related("admitted_by")
        ticket = tickets.filter(appointment=visit).first()
        if ticket is None or visit.status != Appointment.Status.ARRIVED:
            raise NotWaiting
        if ticket.admitted_at is not None:
            return ticket
        ticket.admitted_at, ticket.admitted_by = timezone.now(), principal.user
        ticket.save(update_fields=["admitted_at", "admitted_by"])
        record("visit.admit", Audit.EXECUTE, principal=principal, entity=visit, patient=visit.patient)
        admitted.send(sender=Ticket, appointment=visit, principal=principal)
        if not ticket.is_here(ticket.admitted_at):
            called = f"called {ticket.admitted_at:%Y%m%d%H%M%S%f}"  # who is given up may come back, and be called again
            reminders.announce(visit, Communication.Kind.CLINICIAN_WAITING, serial_of=called)
        events.visit_changed(visit.pk)
        events.line_changed(visit.practitioner_id)
        events.board_changed(visit.clinic_id)
        return ticket


def miss(*, principal: Principal, visit: Appointment) -> Appointment:
    """Give up a patient who does not come, or was let in and did not come in; the time is free again.

    Raises WrongState before it ``is_due``, when somebody has just let them in (a board may be a second old), and
    when they have been in the call: that visit takes place. Also raises what ``booking.miss`` raises.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_ADMIT, lock=True)
        if not is_due(visit):
            raise WrongState(visit)
        ticket = Ticket.objects.filter(appointment=visit, admitted_at__isnull=False).first()
        if ticket and ticket.admitted_at and visit.status == Appointment.Status.ARRIVED:
            if timezone.now() - ticket.admitted_at < JUST_LET_IN:
                raise WrongState(visit)
            giving_up.send(sender=Ticket, appointment=visit)
        return booking.miss(principal=principal, visit=visit)


def is_due(visit: Appointment) -> bool:
    """Whether the visit's time has come, or the patient had come already: before that nobody is missed."""
    return visit.status != Appointment.Status.BOOKED or visit.start <= timezone.now()


def phase_of(visit: Appointment, ticket: Ticket | None, now: datetime) -> Phase:
    """Where the visit stands for who waits for it."""
    status = Appointment.Status(visit.status)
    if status == Appointment.Status.CANCELLED:
        return Phase.CANCELLED
    if status == Appointment.Status.FULFILLED:
        return Phase.OVER
    if ticket is not None and ticket.admitted_at and status == Appointment.Status.ARRIVED:
        return Phase.CALLED
    if now > visit.line_closes_at:
        return Phase.OVER
    if status == Appointment.Status.NOSHOW:
        return Phase.MISSED
    if status == Appointment.Status.BOOKED and now < line_opens_at(visit):
        return Phase.EARLY
    return Phase.WAITING


def look(*, principal: Principal, visit_id: uuid.UUID | str, now: datetime | None = None) -> Look:
    """What is true for this person now, read from the database. Raises Http404 for who has no part in the visit."""
    now = now or timezone.now()
    visit = appointment_for(principal, visit_id, Action.VISIT_WAIT)
    ticket = Ticket.objects.filter(appointment=visit).first()
    phase = phase_of(visit, ticket, now)
    behind = late.minutes_late(visit, now) if phase in {Phase.EARLY, Phase.WAITING} else 0
    if phase != Phase.WAITING or ticket is None or not principal.may(Action.VISIT_CHECK_IN):
        return Look(visit, ticket, phase, late=behind)
    everybody = line_of(visit, now)
    ahead = everybody[: next((at for at, other in enumerate(everybody) if other.pk == ticket.pk), len(everybody))]
    return Look(visit, ticket, phase, len(ahead) + 1, _wait(visit, ahead, now, behind), behind)


def line_of(visit: Appointment, now: datetime) -> list[Ticket]:
    """Who waits for the same clinician, the next one first."""
    tickets = Ticket.objects.select_related("appointment").filter(
        appointment__practitioner=visit.practitioner_id,
        appointment__status=Appointment.Status.ARRIVED,
        appointment__end__gt=now - visit.LINE_CLOSES_AFTER,
        admitted_at=None,
    )
    return in_order(tickets)


def in_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """By booked time; who comes late stands behind who was there by then. Coming early gains nothing."""
    return sorted(tickets, key=lambda ticket: (max(ticket.appointment.start, ticket.arrived_at), ticket.arrived_at))


def _wait(visit: Appointment, ahead: list[Ticket], now: datetime, behind: int) -> tuple[int, int] | None:
    of_clinician = Ticket.objects.select_related("appointment").filter(appointment__practitioner=visit.practitioner_id)
    running = of_clinician.filter(
        appointment__status=Appointment.Status.ARRIVED,
        appointment__end__gt=now - visit.LINE_CLOSES_AFTER,
        admitted_at__isnull=False,
    )
    lately = of_clinician.filter(appointment__start__gt=now - PAST_SPAN, appointment__start__lt=now + PAST_SPAN)
    past = lately.filter(finished_at__isnull=False, admitted_at__isnull=False).order_by("-finished_at")
    return line.wait(
        ahead=[ticket.appointment.minutes for ticket in ahead],
        running=[line.Running(t.appointment.minutes, _minutes(t.admitted_at, now)) for t in running],
        until_start=_minutes(now, visit.start),
        late=behind,
        ratios=[_minutes(t.admitted_at, t.finished_at) / t.appointment.minutes for t in past[:PAST_VISITS]],
    )


def _minutes(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() / 60 if start and end else 0.0
