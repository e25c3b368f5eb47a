"""What is said to open sockets, and to whom: the only ``group_send`` of the project.

A message on the channel layer is a nudge, never the only copy of anything: it says that something
changed, and the consumer reads the truth from the database. The layer may drop it; consumers read
again every few seconds by themselves. What browsers say to each other about keys passes here, too,
and nowhere else: it is neither read nor kept.
"""

from contextlib import suppress
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError


def board_group(clinic_id: UUID | str) -> str:
    return f"board.{clinic_id}"


def line_group(practitioner_id: UUID | str) -> str:
    return f"line.{practitioner_id}"


def visit_group(appointment_id: UUID | str) -> str:
    return f"visit.{appointment_id}"


def board_changed(clinic_id: UUID, *, arrived: UUID | None = None) -> None:
    """After the commit: tell every Today board of the clinic to look again.

    ``arrived`` names the visit whose patient has just come.
    """
    _send_on_commit(board_group(clinic_id), {"type": "board.changed", "arrived": str(arrived) if arrived else None})


def line_changed(practitioner_id: UUID) -> None:
    """After the commit: tell who waits for this clinician to look at their place again."""
    _send_on_commit(line_group(practitioner_id), {"type": "line.changed"})


def visit_changed(appointment_id: UUID) -> None:
    """After the commit: tell the waiting page and the room of this visit to look again."""
    _send_on_commit(visit_group(appointment_id), {"type": "visit.changed"})


def rights_changed(appointment_id: UUID) -> None:
    """After the commit: the sockets of this visit look at once whether they may stay."""
    _send_on_commit(visit_group(appointment_id), {"type": "rights.changed"})


def seat_taken(appointment_id: UUID, seat_id: UUID, turn: int) -> None:
    """After the commit: tell older sockets of this participant that a newer one has the seat."""
    _send_on_commit(visit_group(appointment_id), {"type": "seat.taken", "seat": str(seat_id), "turn": turn})


def relay_left(appointment_id: UUID, node: str, *, dead: bool) -> None:
    """After the commit: tell the room's sockets that the call does not go on at this relay node any more."""
    _send_on_commit(visit_group(appointment_id), {"type": "relay.left", "node": node, "dead": dead})


async def pass_on(
    appointment_id: UUID, *, sender: str, epoch: int, to: str | None, data: str, epochs: dict[str, int]
) -> None:
    """At once: what one browser says to others about keys. Best effort: they repeat it themselves.

    ``epochs`` are the copies that may hear it, by seat.
    """
    message = {"type": "e2ee.passed", "from": sender, "epoch": epoch, "to": to, "data": data, "epochs": epochs}
    with suppress(OSError, RedisError):
        await get_channel_layer().group_send(visit_group(appointment_id), message)


def _send_on_commit(group: str, message: dict[str, object]) -> None:
    transaction.on_commit(lambda: async_to_sync(get_channel_layer().group_send)(group, message), robust=True)
