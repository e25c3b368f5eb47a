"""Who was present from when to when, as the relay saw it: the stretches in which media were connected."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from accounts.policy import Role
from visits.booking.models import Appointment
from visits.live import events
from visits.room import media
from visits.room.models import Encounter, Presence, Seat

# Where the web process dies, nobody says farewell: the last sign is up to 15 s old then, and the copy is kept for as
# long as that of anybody who lost their socket (farewell.BACK_WITHIN).
SILENT_AFTER = timedelta(seconds=60)

LEFT = "left"  # by their own will
LOST = "lost"  # the relay heard nothing more of them
MOVED = "moved"  # a newer copy of theirs took the seat, or they entered another visit
SILENT = "silent"  # nobody could say what became of them
ENDED = "ended"  # with the visit
REMOVED = "removed"  # their link was taken back


def connected(*, seat: uuid.UUID, epoch: int) -> None:
    """The media of copy ``epoch`` flow: open its presence, once, and close that of an older copy."""
    with transaction.atomic():
        holder = Seat.objects.select_for_update(of=("self",)).select_related("encounter").get(pk=seat)
        if epoch < holder.epoch or holder.encounter.status != Encounter.Status.IN_PROGRESS:
            return
        now = timezone.now()
        open_one = holder.presences.filter(left_at=None).first()
        if open_one is not None and open_one.epoch >= epoch:
            return
        if open_one is not None:
            _close(Presence.objects.filter(pk=open_one.pk), now, MOVED)
        Presence.objects.create(seat=holder, epoch=epoch, joined_at=now, seen_at=now)
        if holder.user_id is not None:
            _leave_other_visits(holder, now)
        events.visit_changed(holder.encounter.appointment_id)


def _leave_other_visits(holder: Seat, now: datetime) -> None:
    """Who is signed in is in one visit at a time, the last they entered: nobody overhears what is said in another."""
    elsewhere = Presence.objects.filter(seat__user=holder.user_id, left_at=None).exclude(seat=holder)
    for one in elsewhere.select_related("seat__encounter"):
        seat, visit = one.seat, one.seat.encounter.appointment_id
        # The seat goes to a copy that nobody is: every older one is out, wherever its socket is.
        Seat.objects.filter(pk=seat.pk).update(epoch=F("epoch") + 1, turn=F("turn") + 1)
        _close(Presence.objects.filter(pk=one.pk), now, MOVED)
        seat.refresh_from_db(fields=["epoch", "turn"])
        events.seat_taken(visit, seat.pk, seat.turn)
        events.visit_changed(visit)
        media.leave_on_commit(seat.encounter, seat.pk, one.epoch)


def seen(*, seat: uuid.UUID, epoch: int) -> bool:
    """A sign of life of copy ``epoch``; whether its presence is open."""
    return bool(Presence.objects.filter(seat=seat, epoch=epoch, left_at=None).update(seen_at=timezone.now()))


def left(*, seat: uuid.UUID, epoch: int, why: str) -> None:
    """Copy ``epoch`` is gone: close its presence. A newer copy's stays; repeating changes nothing."""
    with transaction.atomic():
        if _close(Presence.objects.filter(seat=seat, epoch__lte=epoch, left_at=None), timezone.now(), why):
            events.visit_changed(Seat.objects.values_list("encounter__appointment_id", flat=True).get(pk=seat))


def patient_came(visit: Appointment) -> bool:
    """Whether the patient, or who acts for them, was ever in the call: then the visit takes place."""
    came = Presence.objects.filter(seat__encounter__appointment=visit)
    return came.filter(seat__role__in=(Role.PATIENT, Role.PROXY)).exists()


def all_left(encounter: Encounter) -> None:
    """Close every presence of a visit that ends now."""
    _close(Presence.objects.filter(seat__encounter=encounter, left_at=None), timezone.now(), ENDED)


def close_silent(now: datetime | None = None) -> int:
    """Close presences without a sign of life for 60 s, as of the last one; how many.

    Without a socket nobody looks after the right to be in the call, so the relay lets them go too.
    """
    limit = (now or timezone.now()) - SILENT_AFTER
    silent = Presence.objects.filter(left_at=None, seen_at__lt=limit).select_related("seat__encounter")
    closed = 0
    for one in list(silent):
        with transaction.atomic():
            Seat.objects.select_for_update().get(pk=one.seat_id)  # first, as who takes the copy up does
            if not Presence.objects.filter(pk=one.pk, left_at=None, seen_at__lt=limit).update(
                left_at=Greatest("seen_at", "joined_at"), left_why=SILENT
            ):
                continue  # it gave a sign in between
            closed += 1
            # Nobody can take up what is being sent out.
            Seat.objects.filter(pk=one.seat_id, epoch=one.epoch).update(epoch=F("epoch") + 1)
            events.visit_changed(one.seat.encounter.appointment_id)
            media.leave_on_commit(one.seat.encounter, one.seat_id, one.epoch)
    return closed


def _close(presences: QuerySet[Presence], now: datetime, why: str) -> int:
    # A clock may step back: an end is never before its start.
    late = presences.filter(joined_at__gt=now).update(left_at=F("joined_at"), left_why=why)
    return late + presences.filter(left_at=None).update(left_at=now, left_why=why)
