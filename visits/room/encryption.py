"""End-to-end encryption as far as the server has a say: who may come unencrypted, and who hears whose key messages.

The keys are agreed between the browsers; what they say to each other about them passes here unread.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import Outcome, record
from accounts.models import Clinic
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.live import events
from visits.room.models import Encounter, Seat

Policy = Clinic.Encryption

WAITS_FOR = timedelta(seconds=15)  # after the last sign of life of a browser that waits outside


class CannotEncrypt(Exception):
    """This browser may not come in: the visit is encrypted end to end, and it cannot do that."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        super().__init__(seat.encounter.encryption)

    @property
    def is_final(self) -> bool:
        """Whether the clinic requires encryption; else a clinician decides."""
        return bool(self.seat.encounter.encryption == Policy.REQUIRED)


class NotPreferred(Exception):
    """The clinic leaves clinicians no choice: it requires encryption, or does without."""


class NotBegun(Exception):
    """There is no visit going on."""


def wait_outside(principal: Principal, seat: Seat) -> None:
    """A browser that cannot encrypt asks to come in: clinicians are told who it is. Once, however often it asks."""
    now = timezone.now()
    with transaction.atomic():
        if Seat.objects.filter(pk=seat.pk, unable_at__gt=now - WAITS_FOR).update(unable_at=now):
            return
        Seat.objects.filter(pk=seat.pk).update(unable_at=now)
        visit = seat.encounter.appointment
        record(
            "visit.join",
            Audit.EXECUTE,
            principal=principal,
            entity=seat.encounter,
            patient=visit.patient,
            outcome=Outcome.MINOR_FAILURE,
            detail={"seat": str(seat.pk), "why": "cannot-encrypt", "policy": seat.encounter.encryption},
        )
        events.visit_changed(visit.pk)


def still_outside(seat: Seat) -> None:
    """A sign of life of a browser that waits."""
    Seat.objects.filter(pk=seat.pk, unable_at__isnull=False).update(unable_at=timezone.now())


def no_more_outside(seat: Seat) -> None:
    """Nobody waits for this seat any more: they gave up, or are in."""
    with transaction.atomic():
        if Seat.objects.filter(pk=seat.pk, unable_at__isnull=False).update(unable_at=None):
            events.visit_changed(seat.encounter.appointment_id)


def go_on_without(*, principal: Principal, visit: Appointment) -> Encounter:
    """Go on without end-to-end encryption for the rest of this visit. Once; repeating changes nothing.

    Raises NotBegun, NotPreferred, and Http404 for who may not decide that.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_UNENCRYPT, lock=True)
        encounter = Encounter.objects.filter(appointment=visit, status=Encounter.Status.IN_PROGRESS).first()
        if encounter is None:
            raise NotBegun
        if encounter.encryption != Policy.PREFERRED:
            raise NotPreferred
        if encounter.unencrypted_at is not None:
            return encounter
        encounter.unencrypted_at = max(timezone.now(), encounter.started_at)  # a clock may step back
        encounter.unencrypted_by = principal.user
        encounter.save(update_fields=["unencrypted_at", "unencrypted_by"])
        record("visit.unencrypt", Audit.EXECUTE, principal=principal, entity=encounter, patient=visit.patient)
        events.visit_changed(visit.pk)
        return encounter


def encryption_of(visit: Appointment, encounter: Encounter | None, seats: list[Seat]) -> dict[str, Any]:
    """The protocol's ``encryption``. ``seats`` are the encounter's, with ``is_here``."""
    if encounter is None:
        policy = Policy(visit.clinic.encryption)
        return {"policy": policy.value, "mode": "off" if policy == Policy.OFF else "on", "unable": [], "by": None}
    since = timezone.now() - WAITS_FOR
    waiting = [str(seat.pk) for seat in seats if seat.unable_at and seat.unable_at > since]
    return {
        "policy": encounter.encryption,
        "mode": "on" if encounter.is_encrypted else "off",
        "unable": waiting if encounter.is_encrypted else [],
        "by": next((seat.name for seat in seats if seat.user_id and seat.user_id == encounter.unencrypted_by_id), None),
    }


def listeners(seat: Seat) -> dict[str, int]:
    """The newest copy of everybody in the call, by seat: whom a key message of this copy may reach.

    Empty when this copy is not the newest of its seat, or the visit is over.
    """
    rows = Seat.objects.filter(encounter=seat.encounter_id, encounter__status=Encounter.Status.IN_PROGRESS, epoch__gt=0)
    epochs: dict[uuid.UUID, int] = dict(rows.values_list("pk", "epoch"))
    if epochs.get(seat.pk) != seat.epoch:
        return {}
    return {str(pk): epoch for pk, epoch in epochs.items()}
