"""The sealer: gives events their place in the chain, after they were committed.

To chain a row as it is written, every transaction would have to wait for the one before. So rows are written side by
side, each with its own digest, and chained some seconds later, in whatever order they are found: a row that was
committed late comes later in the chain, an id that was rolled back is no hole in it.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from accounts.audit import anchors
from accounts.audit.digests import GENESIS, seal_digest
from accounts.database import is_alone
from accounts.models import AuditSeal, UnsealedEvent

# So many in one transaction: on SQLite nobody else writes meanwhile.
BATCH = 500
LOCK = 0x5EA1
# From this age on an event that is not sealed says that the sealer has stopped.
WAITS = timedelta(minutes=1)


def seal() -> int:
    """Chain what is not chained, anchor the end and copy the anchors out; return how many events were chained.

    One works at a time; another one that is called meanwhile leaves it to that one. Killed at any place it leaves
    nothing behind that the next call does not finish.
    """
    sealed = 0
    while UnsealedEvent.objects.exists():
        with transaction.atomic():
            batch = _seal_batch() if is_alone(LOCK) else 0
        if not batch:
            break
        sealed += batch
    with transaction.atomic():
        if is_alone(LOCK):
            anchors.anchor_if_due()
    anchors.copy_out(settings.AUDIT_ANCHORS)
    return sealed


def oldest_unsealed(now: datetime) -> timedelta:
    """How long the oldest event that is not sealed has been there; none: no time."""
    oldest: datetime | None = UnsealedEvent.objects.aggregate(oldest=Min("event__recorded"))["oldest"]
    return max(now - oldest, timedelta(0)) if oldest else timedelta(0)


def _seal_batch() -> int:
    waiting = list(UnsealedEvent.objects.order_by("event_id").values_list("event_id", "event__digest")[:BATCH])
    last = AuditSeal.objects.order_by("position").last()
    position, digest = (last.position, last.digest) if last else (0, GENESIS)
    seals = []
    for event_id, row in waiting:
        position += 1
        digest = seal_digest(digest, position, event_id, row)
        seals.append(AuditSeal(position=position, event_id=event_id, digest=digest))
    AuditSeal.objects.bulk_create(seals)
    UnsealedEvent.objects.filter(event_id__in=[event_id for event_id, _ in waiting]).delete()
    return len(seals)
