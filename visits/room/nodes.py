"""Which relay node has which room. The database decides, under a lock, so a room is never in two places.

What nodes say of themselves comes with their pulses (``visits.room.watch``) and is noted here.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from visits.live import events
from visits.relay.client import Pulse
from visits.room import media
from visits.room.models import Encounter, RelayNode

NOTE_EVERY = timedelta(seconds=2)
# Redis may have lost a pulse (a restart, a flush); a node that lives has long had the next one.
MISSING_AFTER = timedelta(seconds=10)
# Who was placed may not have joined yet, and the pulse does not tell of them.
SETTLES = timedelta(seconds=5)
EXPECTED = 2  # people in a room
GRACE = 10.0  # seconds that a room that moves may still use its old node
KEPT = timedelta(days=1)


class NoNode(Exception):
    """No relay node is there that may take a room."""


class AllFull(NoNode):
    """There are some, but none can take more now."""


def node_of(encounter_id: uuid.UUID) -> str | None:
    """The node that has the encounter's room; None if it has none, or that one is gone."""
    has_node = Encounter.objects.filter(pk=encounter_id).exclude(relay_node__state=RelayNode.State.GONE)
    return has_node.values_list("relay_node_id", flat=True).first()


def place(encounter: Encounter, *, unless: str = "") -> str:
    """The node that has the encounter's room, and if there is none, the least loaded one, which has it from now on.

    ``unless`` names a node that refused the room. Raises NoNode, AllFull.
    """
    with transaction.atomic():
        # Without a join: PostgreSQL would join the row as it is now with the node that it had before the wait.
        held = Encounter.objects.select_for_update().get(pk=encounter.pk)
        node = held.relay_node
        if node is not None and node.state != RelayNode.State.GONE and node.pk != unless:
            return node.pk
        chosen = _least_loaded(timezone.now(), unless)
        Encounter.objects.filter(pk=held.pk).update(relay_node=chosen, placed_at=timezone.now())
        if node is not None:
            is_dead = node.state == RelayNode.State.GONE
            media.close_on_commit(held.pk, node.pk, after=0 if is_dead else GRACE)
            events.relay_left(held.appointment_id, node.pk, dead=is_dead)
        return chosen.pk


def _least_loaded(now: datetime, unless: str) -> RelayNode:
    live = RelayNode.objects.select_for_update().order_by("pk")
    live = live.filter(state=RelayNode.State.ACTIVE, seen_at__gt=now - MISSING_AFTER).exclude(pk=unless)
    nodes = list(live)
    if not nodes:
        raise NoNode
    nodes = [node for node in nodes if not node.full]
    if not nodes:
        raise AllFull
    recent = Encounter.objects.filter(placed_at__gt=now - SETTLES, relay_node__in=nodes)
    placed = list(recent.values_list("relay_node_id", flat=True))
    return min(nodes, key=lambda node: node.load + EXPECTED * placed.count(node.pk) / max(node.capacity, 1))


def note(pulses: Mapping[str, Pulse], *, dead: Collection[str] = ()) -> None:
    """Note what the nodes said last; the rooms of those that are ``dead``, or have said goodbye, are told at once.

    Rarely writes when there is no news: many processes look, and one note of it is enough.
    """
    now = timezone.now()
    known = dict(RelayNode.objects.values_list("pk", "state"))
    live = {node for node, pulse in pulses.items() if not pulse.is_late and not pulse.gone}
    gone = {node for node, pulse in pulses.items() if pulse.gone} | set(dead)
    alive = {node for node, state in known.items() if state != RelayNode.State.GONE}
    is_news = bool(live - alive or gone & alive)
    if not is_news and RelayNode.objects.filter(seen_at__gt=now - NOTE_EVERY).exists():
        return
    with transaction.atomic():
        rows = {row.pk: row for row in RelayNode.objects.select_for_update().order_by("pk")}
        for node in sorted(live):
            _note_live(node, pulses[node], rows.get(node), now)
        for row in rows.values():
            silent = row.pk not in pulses and row.seen_at < now - MISSING_AFTER
            if row.state != RelayNode.State.GONE and (row.pk in gone or silent):
                _note_gone(row)
        RelayNode.objects.filter(state=RelayNode.State.GONE, seen_at__lt=now - KEPT).delete()


def _note_live(node: str, pulse: Pulse, row: RelayNode | None, now: datetime) -> None:
    is_drained = row is not None and row.drained_at is not None
    RelayNode.objects.update_or_create(
        pk=node,
        defaults={
            "address": pulse.address,
            "seen_at": now,
            "state": RelayNode.State.DRAINING if is_drained else RelayNode.State.ACTIVE,
            "rooms": pulse.rooms,
            "peers": pulse.peers,
            "capacity": pulse.capacity,
            "cpu": pulse.cpu,
            "bitrate": pulse.bitrate,
            "load": pulse.load,
            "full": pulse.full,
        },
    )


def _note_gone(node: RelayNode) -> None:
    carries_nothing = {"rooms": 0, "peers": 0, "cpu": 0, "bitrate": 0, "load": 0, "full": ""}
    RelayNode.objects.filter(pk=node.pk).update(state=RelayNode.State.GONE, **carries_nothing)
    for encounter in Encounter.objects.filter(relay_node=node, status=Encounter.Status.IN_PROGRESS):
        events.relay_left(encounter.appointment_id, node.pk, dead=True)


def drain(node: RelayNode) -> bool:
    """Give the node no new rooms; those that it has stay. Whether anything changed."""
    changed = RelayNode.objects.filter(pk=node.pk, drained_at=None).update(drained_at=timezone.now())
    RelayNode.objects.filter(pk=node.pk, state=RelayNode.State.ACTIVE).update(state=RelayNode.State.DRAINING)
    return bool(changed)


def take_back(node: RelayNode) -> bool:
    """Give the node new rooms again. Whether anything changed."""
    changed = RelayNode.objects.filter(pk=node.pk).exclude(drained_at=None).update(drained_at=None)
    RelayNode.objects.filter(pk=node.pk, state=RelayNode.State.DRAINING).update(state=RelayNode.State.ACTIVE)
    return bool(changed)


def move_rooms(node: RelayNode) -> tuple[int, int]:
    """Send the node's visits to others: how many went, and how many stay since nobody can take them."""
    moved = stayed = 0
    for encounter in Encounter.objects.filter(relay_node=node, status=Encounter.Status.IN_PROGRESS):
        try:
            place(encounter, unless=node.pk)
            moved += 1
        except NoNode:
            stayed += 1
    return moved, stayed
