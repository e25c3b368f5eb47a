"""What happens to a visit as a whole: it opens, people take their seats, it ends."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.links.services import revoke_all
from accounts.models import Practitioner
from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.booking.services import fulfil, miss
from visits.live import events
from visits.room import encryption, media, presence
from visits.room.models import Encounter, Presence, Seat
from visits.waiting.calls import is_call
from visits.waiting.models import Ticket

# What a relay seats in one room (visits.relay.config, room_peers), and a page has tiles for.
PLACES = 6


class NotOpen(Exception):
    """The visit has not begun for this person, or is over."""


class RoomFull(Exception):
    """Every place is taken, or kept for the patient and a clinician."""


class NotJoined(Exception):
    """There is no such copy of this person in the call."""


class SeatTaken(Exception):
    """A socket that was opened later has the seat."""


class NotBegun(Exception):
    """The visit cannot be ended: the patient has not been let in. It can be left, cancelled or missed."""


def open_encounter(*, principal: Principal, visit: Appointment) -> Encounter:
    """Begin the visit: by who admits the patient, or by the first clinician to join. Once; later calls find it.

    A visit that was given up as missed opens again when the patient comes after all. Raises
    NotOpen for patients and guests and for a visit that cannot take place any more.
    """
    if not principal.is_staff_member:
        raise NotOpen
    with transaction.atomic():
        action = Action.VISIT_JOIN if principal.may(Action.VISIT_JOIN) else Action.VISIT_ADMIT
        visit = appointment_for(principal, visit.pk, action, lock=True)
        if not visit.is_open:
            raise NotOpen
        encounter, created = Encounter.objects.get_or_create(
            appointment=visit, defaults={"started_at": timezone.now(), "encryption": visit.clinic.encryption}
        )
        if not created and encounter.status == Encounter.Status.IN_PROGRESS:
            return encounter
        if not created:
            encounter.status, encounter.ended_at, encounter.ended_by = Encounter.Status.IN_PROGRESS, None, None
            encounter.save(update_fields=["status", "ended_at", "ended_by"])
        record("visit.open", Audit.EXECUTE, principal=principal, entity=encounter, patient=visit.patient)
        events.visit_changed(visit.pk)
        return encounter


def open_to(principal: Principal, visit: Appointment) -> bool:
    """Whether this person may be in the call now.

    Clinicians may from the booking on; patients, and who acts for them, once admitted; guests while the visit goes on.
    A visit by phone has no call here.
    """
    if is_call(visit) or not visit.is_open or not principal.may(Action.VISIT_JOIN):
        return False
    if principal.is_staff_member:
        return True
    going_on = Encounter.objects.filter(appointment=visit, status=Encounter.Status.IN_PROGRESS)
    if principal.role in {Role.PATIENT, Role.PROXY}:
        going_on = going_on.filter(appointment__ticket__admitted_at__isnull=False)
    return going_on.exists()


def opening_time(visit: Appointment) -> datetime:
    """The time by the database's clock, which all web processes share: to be read when a socket opens."""
    now: datetime = Appointment.objects.values_list(Now(), flat=True).get(pk=visit.pk)
    return now


def enter(
    *, principal: Principal, visit: Appointment, opened_at: datetime, audio: bool, video: bool, e2ee: bool
) -> Seat:
    """Take one's seat with a new epoch, which evicts the copy that had it before.

    ``opened_at``: the ``opening_time`` of the socket that asks. ``e2ee``: this browser can encrypt end to end.
    Raises NotOpen, RoomFull, SeatTaken, CannotEncrypt (the seat is kept, an older copy stays), and Http404
    for who may not be in this visit at all.
    """
    with transaction.atomic():
        seat = _admitted_seat(principal, visit)
        may_come = e2ee or not seat.encounter.is_encrypted
        if may_come:
            return _take(principal, seat, opened_at=opened_at, audio=audio, video=video, e2ee=e2ee)
        encryption.wait_outside(principal, seat)
    raise encryption.CannotEncrypt(seat)


def _admitted_seat(principal: Principal, visit: Appointment) -> Seat:
    visit = appointment_for(principal, visit.pk, Action.VISIT_JOIN, lock=True)
    if not open_to(principal, visit):
        raise NotOpen
    if principal.is_staff_member:
        open_encounter(principal=principal, visit=visit)
    seat = seat_for(principal, Encounter.objects.select_related("appointment__patient").get(appointment=visit))
    if not has_place(seat):
        raise RoomFull
    return seat


def _take(principal: Principal, seat: Seat, *, opened_at: datetime, audio: bool, video: bool, e2ee: bool) -> Seat:
    encryption.no_more_outside(seat)
    seat = next_epoch(seat, opened_at=opened_at, audio=audio, video=video)
    record(
        "visit.join",
        Audit.EXECUTE,
        principal=principal,
        entity=seat.encounter,
        patient=seat.encounter.appointment.patient,
        detail={"seat": str(seat.pk), "epoch": seat.epoch, "e2ee": e2ee},
    )
    return seat


def copy_of(*, principal: Principal, visit: Appointment, epoch: int) -> Seat:
    """The person's own seat, if copy ``epoch`` is its newest and they may still be in the call.

    Raises NotOpen, NotJoined, and Http404 for who may not be in this visit at all.
    """
    visit = appointment_for(principal, visit.pk, Action.VISIT_JOIN)
    if not open_to(principal, visit):
        raise NotOpen
    seats = Seat.objects.select_related("encounter__appointment__patient").filter(encounter__appointment=visit)
    seat = seats.filter(**own_seat(principal), epoch=epoch).first()
    if seat is None:
        raise NotJoined
    return seat


def resume(*, principal: Principal, seat: Seat, opened_at: datetime) -> Seat:
    """Take up a copy of one's own whose socket was lost; an older socket of it is told. Raises NotJoined.

    ``opened_at``: the ``opening_time`` of the socket that asks.
    """
    with transaction.atomic():
        free = Seat.objects.filter(_not_taken_since(opened_at), pk=seat.pk, epoch=seat.epoch)
        if not free.update(turn=F("turn") + 1, opened_at=opened_at):
            raise NotJoined  # a newer copy joined in between, or a newer socket took this one up
        seat.refresh_from_db(fields=["turn"])
        presence.seen(seat=seat.pk, epoch=seat.epoch)
        record(
            "visit.resume",
            Audit.EXECUTE,
            principal=principal,
            entity=seat.encounter,
            patient=seat.encounter.appointment.patient,
            detail={"seat": str(seat.pk), "epoch": seat.epoch},
        )
        events.seat_taken(seat.encounter.appointment_id, seat.pk, seat.turn)
        return seat


def own_seat(principal: Principal) -> dict[str, Any]:
    """What tells this person's seat in an encounter. Patients and proxies have one whichever link they used."""
    if principal.user is not None:
        return {"user_id": principal.user.pk}
    if principal.role == Role.PATIENT:
        return {"role": Role.PATIENT.value}
    if principal.acts_as is not None:
        return {"related_person_id": principal.acts_as.pk}
    return {"link_id": principal.link.pk if principal.link else None}


def seat_for(principal: Principal, encounter: Encounter) -> Seat:
    """The person's seat, made once."""
    own = own_seat(principal)
    defaults = {
        "name": _name(principal), "role": principal.role.value, "link": principal.link, "user": principal.account
    }  # fmt: skip
    seat, _ = Seat.objects.select_related("encounter__appointment__patient").get_or_create(
        encounter=encounter, **own, defaults={**defaults, **own}
    )
    return seat


def has_place(seat: Seat) -> bool:
    """Whether there is room for this person: those who are here leave it, and the patient and a clinician come first.

    The relay counts too, and exactly; this lets a fifth guest know before the patient is the one refused.
    """
    here = Presence.objects.filter(seat__encounter=seat.encounter_id, left_at=None).exclude(seat=seat)
    roles = [seat.role, *here.values_list("seat__role", flat=True)]
    kept = sum(role not in roles for role in (Role.PATIENT, Role.CLINICIAN))
    return len(roles) + kept <= PLACES


def next_epoch(seat: Seat, *, opened_at: datetime, audio: bool, video: bool) -> Seat:
    """The seat with the next epoch; tells older copies that they have lost it. Raises SeatTaken."""
    with transaction.atomic():
        free = Seat.objects.filter(_not_taken_since(opened_at), pk=seat.pk)
        if not free.update(epoch=F("epoch") + 1, turn=F("turn") + 1, opened_at=opened_at, audio=audio, video=video):
            raise SeatTaken
        seat.refresh_from_db(fields=["epoch", "turn", "audio", "video"])
        events.seat_taken(seat.encounter.appointment_id, seat.pk, seat.turn)
        return seat


def _not_taken_since(opened_at: datetime) -> Q:
    """Seats that no socket opened later than ``opened_at`` has taken."""
    # What was opened in the future was so before the clock was set back, and keeps nobody out.
    return ~Q(opened_at__gt=opened_at, opened_at__lte=Now())


def set_media(*, seat: Seat, audio: bool, video: bool) -> None:
    """Note whether microphone and camera are on; of no effect once a newer copy has the seat."""
    with transaction.atomic():
        if Seat.objects.filter(pk=seat.pk, epoch=seat.epoch).update(audio=audio, video=video):
            events.visit_changed(seat.encounter.appointment_id)


def vacate(*, seat: Seat, why: str) -> bool:
    """This copy of a person goes, unless another socket has taken their seat; whether it does.

    The seat is then that of a copy that nobody is: who comes back cannot take up what is being sent out.
    """
    with transaction.atomic():
        if not Seat.objects.filter(pk=seat.pk, turn=seat.turn).update(epoch=F("epoch") + 1):
            return False
        presence.left(seat=seat.pk, epoch=seat.epoch, why=why)
        return True


def leave(*, principal: Principal, seat: Seat) -> None:
    """Note that the person left by their own will, unless another socket has taken their seat, which stays theirs."""
    with transaction.atomic():
        if not vacate(seat=seat, why=presence.LEFT):
            return
        record(
            "visit.leave",
            Audit.EXECUTE,
            principal=principal,
            entity=seat.encounter,
            patient=seat.encounter.appointment.patient,
            detail={"seat": str(seat.pk), "epoch": seat.epoch},
        )


def end(*, principal: Principal, visit: Appointment) -> Encounter:
    """End the visit for all, for good: nobody returns, and its links open nothing any more.

    A visit whose patient was let in and never came into the call did not take place: it is recorded as
    missed, and its links stay. Ending an ended visit changes nothing. Raises NotOpen when it never began,
    NotBegun when the patient has not come or has not been let in, Http404 for who may not.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_END, lock=True)
        encounter = Encounter.objects.filter(appointment=visit).first()
        if encounter is None:
            raise NotOpen
        if encounter.status == Encounter.Status.FINISHED:
            return encounter
        if not visit.may_become(Appointment.Status.FULFILLED):
            raise NotBegun
        if not presence.patient_came(visit):
            if Ticket.objects.filter(appointment=visit, admitted_at=None).exists():
                raise NotBegun
            miss(principal=principal, visit=visit)  # which closes the room: see receivers
            encounter.refresh_from_db()
            return encounter
        _finish(principal, encounter)
        fulfil(principal=principal, visit=visit)
        revoke_all(resource_id=visit.pk, principal=principal)
        return encounter


def close(*, principal: Principal | None, visit: Appointment) -> None:
    """Close the room of a visit that was cancelled or given up as missed, if it is open."""
    with transaction.atomic():
        encounter = Encounter.objects.filter(appointment=visit, status=Encounter.Status.IN_PROGRESS).first()
        if encounter is not None:
            _finish(principal, encounter)


def _finish(principal: Principal | None, encounter: Encounter) -> None:
    encounter.status = Encounter.Status.FINISHED
    encounter.ended_at = timezone.now()
    encounter.ended_by = principal.user if principal else None
    encounter.save(update_fields=["status", "ended_at", "ended_by"])
    presence.all_left(encounter)
    record("visit.end", Audit.EXECUTE, principal=principal, entity=encounter, patient=encounter.appointment.patient)
    events.visit_changed(encounter.appointment_id)
    media.close_on_commit(encounter.pk, encounter.relay_node_id)


def _name(principal: Principal) -> str:
    """How the others see the person: a clinician as patients know them."""
    if principal.user is None:
        return principal.name
    known = Practitioner.objects.filter(clinic=principal.clinic, user=principal.user).first()
    return known.name if known else principal.name


def encounter_of(visit_id: uuid.UUID | str) -> Encounter | None:
    """The visit's encounter with its appointment, if it has begun."""
    encounters = Encounter.objects.select_related("appointment__patient", "relay_node")
    return encounters.filter(appointment_id=visit_id).first()
