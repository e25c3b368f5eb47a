"""What is true in a call now, as one person may know it."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone, translation

from accounts.policy import Action, Role
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.room.encryption import encryption_of
from visits.room.models import Encounter, Presence, Seat
from visits.room.services import encounter_of, open_to, own_seat

WAITING = "waiting"  # not let in yet
OPEN = "open"
OVER = "over"


@dataclass(frozen=True)
class CallState:
    phase: str
    you: str | None = None
    started: datetime | None = None
    people: list[dict[str, Any]] = field(default_factory=list)
    turns: dict[str, int] = field(default_factory=dict)
    node: str | None = None  # where the room is
    encryption: dict[str, Any] = field(default_factory=dict)

    def as_message(self, away: set[str]) -> dict[str, Any]:
        """The fields of the protocol's ``state`` that all copies share; ``away`` is what the relay told."""
        return {
            "phase": self.phase,
            "you": self.you,
            "started": self.started.isoformat() if self.started else None,
            "now": timezone.now().isoformat(),
            "encryption": self.encryption,
            "people": [{**person, "away": person["here"] and person["seat"] in away} for person in self.people],
        }


def call_state(principal: Principal, visit_id: uuid.UUID) -> CallState:
    """Read it. Raises Http404 for who has nothing to do with the visit."""
    visit = appointment_for(principal, visit_id, Action.VISIT_JOIN)
    encounter = encounter_of(visit_id)
    if not visit.is_open or (encounter and encounter.status == Encounter.Status.FINISHED):
        return CallState(
            OVER,
            started=encounter.started_at if encounter else None,
            encryption=encryption_of(visit, encounter, []),
        )
    if not open_to(principal, visit):
        return CallState(WAITING, encryption=encryption_of(visit, encounter, []))
    if encounter is None:
        return CallState(OPEN, encryption=encryption_of(visit, None, []))
    seats = list(_seats(encounter))
    own = own_seat(principal).items()
    return CallState(
        OPEN,
        # Also before joining: after a reload one is not to be shown the copy of oneself that is about to go.
        next((str(seat.pk) for seat in seats if all(getattr(seat, name) == value for name, value in own)), None),
        encounter.started_at,
        people=[
            {
                "seat": str(seat.pk),
                "name": shown_name(seat, principal),
                "role": seat.role,
                "here": seat.is_here,
                "audio": seat.audio,
                "video": seat.video,
            }
            for seat in seats
        ],
        turns={str(seat.pk): seat.turn for seat in seats},
        node=encounter.live_node,
        encryption=encryption_of(visit, encounter, seats),
    )


def shown_name(seat: Seat, to: Principal) -> str:
    """Staff see full names; the others need no more of a patient than the first name."""
    if seat.role == Role.PATIENT and not to.is_staff_member:
        return seat.encounter.appointment.patient.given_name
    if seat.related_person is not None:
        with translation.override(to.language):
            return seat.related_person.party_name
    return seat.name


def _seats(encounter: Encounter) -> Any:
    here = Presence.objects.filter(seat=OuterRef("pk"), left_at=None)
    return encounter.seats.select_related("related_person__patient").annotate(is_here=Exists(here)).order_by("pk")
