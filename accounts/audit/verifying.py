"""Walks the audit trail and names the first row that is not as it was written.

Memory is bounded: rows are read in batches, by key. It may run beside writers and the sealer, and holds nobody up.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from django.db.models import Count, Exists, OuterRef

from accounts.audit import anchors
from accounts.audit.digests import GENESIS, row_digest, seal_digest
from accounts.models import AuditAnchor, AuditEvent, AuditSeal, UnsealedEvent

BATCH = 1000


class Altered(Exception):
    """The trail is not as it was written. ``args[0]`` says which row, and what is wrong with it."""


@dataclass(frozen=True)
class Verified:
    """What a trail that is whole looks like."""

    sealed: int  # events in the chain
    unsealed: int  # events that wait for their place
    anchor: AuditAnchor | None  # the last one in the database


def verify(outside: Iterable[str], progress: Callable[[int, int], object] = lambda done, of: None) -> Verified:
    """Check every row, its place in the chain, and all anchors, those of the file ``outside`` (its lines) too.

    ``progress`` hears after each batch how many of how many events were walked. Raises Altered at the first row that
    was altered, removed or added past us, or that is missing at the end.
    """
    end = AuditSeal.objects.order_by("position").last()
    sealed = end.position if end else 0
    _walk_chain(sealed, progress)
    _check_anchors(AuditAnchor.objects.order_by("position").iterator(), "in the database")
    _check_anchors(_read(outside), "in the file")
    unsealed = _walk_unsealed()
    _refuse_copies()
    return Verified(sealed, unsealed, AuditAnchor.objects.order_by("position").last())


def _walk_chain(end: int, progress: Callable[[int, int], object]) -> None:
    position, digest = 0, GENESIS
    while position < end:
        seals = list(AuditSeal.objects.filter(position__gt=position, position__lte=end).order_by("position")[:BATCH])
        events = AuditEvent.objects.in_bulk([seal.event_id for seal in seals])
        for seal in seals:
            if seal.position != position + 1:
                raise Altered(f"place {position + 1} of the chain is missing, before row {seal.event_id}")
            _check_row(seal.event_id, events.get(seal.event_id))
            digest = seal_digest(digest, seal.position, seal.event_id, events[seal.event_id].digest)
            if digest != seal.digest:
                raise Altered(f"row {seal.event_id} does not belong at place {seal.position} of the chain")
            position = seal.position
        progress(position, end)


def _check_row(event_id: int, event: AuditEvent | None) -> None:
    if event is None:
        raise Altered(f"row {event_id} is missing")
    if row_digest(event) != event.digest:
        raise Altered(f"row {event_id} was altered")


def _check_anchors(found: Iterable[AuditAnchor], where: str) -> None:
    found = iter(found)
    while batch := list(islice(found, BATCH)):
        seals = AuditSeal.objects.in_bulk([anchor.position for anchor in batch])
        for anchor in batch:
            if not anchors.is_signed(anchor):
                raise Altered(f"the anchor of place {anchor.position} {where} is not signed with our key")
            if anchor.position not in seals:
                last = AuditSeal.objects.order_by("position").last()
                raise Altered(
                    f"the trail is cut off after {f'row {last.event_id}' if last else 'its beginning'}: "
                    f"an anchor {where} of {anchor.at:%Y-%m-%d %H:%M:%S %Z} has {anchor.position} rows, "
                    f"the chain {last.position if last else 0}"
                )
            if seals[anchor.position].digest != anchor.digest:
                row = seals[anchor.position].event_id
                raise Altered(f"the chain up to row {row} is another one than the anchor {where} signed")


def _read(lines: Iterable[str]) -> Iterable[AuditAnchor]:
    try:
        yield from anchors.read(lines)
    except anchors.Unreadable as error:
        raise Altered(f"line {error.args[0]} of the file of anchors is no anchor") from None


def _walk_unsealed() -> int:
    """One query a batch says what is sealed and what waits: the sealer moves rows from one to the other meanwhile."""
    rows = AuditEvent.objects.filter(~Exists(AuditSeal.objects.filter(event=OuterRef("pk")))).order_by("pk")
    rows = rows.annotate(waits=Exists(UnsealedEvent.objects.filter(pk=OuterRef("pk"))))
    last = walked = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        for event in batch:
            _check_row(event.pk, event)
            if not event.waits:
                raise Altered(f"row {event.pk} has lost its place in the chain, and does not wait for one")
        last, walked = batch[-1].pk, walked + len(batch)
    gone = UnsealedEvent.objects.filter(~Exists(AuditEvent.objects.filter(pk=OuterRef("pk")))).first()
    if gone:
        raise Altered(f"row {gone.pk} was removed before it was sealed")
    return walked


def _refuse_copies() -> None:
    """A row that was copied with its digest would be as good as a true one."""
    copied = AuditEvent.objects.values("uid").annotate(times=Count("pk")).filter(times__gt=1).order_by("uid").first()
    if copied:
        first, again = AuditEvent.objects.filter(uid=copied["uid"]).order_by("pk").values_list("pk", flat=True)[:2]
        raise Altered(f"row {again} is a copy of row {first}")
