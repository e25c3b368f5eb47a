"""The audit trail as a file: comma-separated (RFC 4180), one event a line, UTC, streamed in batches."""

import csv
import json
from collections.abc import AsyncIterator
from datetime import UTC
from io import StringIO

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from accounts.audit.purposes import purpose_of_event
from accounts.models import AuditEvent

BATCH = 1000
HEADINGS = (
    "id", "recorded", "event", "action", "outcome", "user", "user name", "role", "link", "clinic", "object",
    "object id", "patient", "address", "request", "purpose", "detail",
)  # fmt: skip
# What a spreadsheet takes for a formula when a cell begins with it (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


async def as_csv(events: QuerySet[AuditEvent]) -> AsyncIterator[str]:
    """The events as text, a batch at a time, newest first: memory is that of one batch."""
    yield _lines([HEADINGS])
    rows, last = events.select_related("user").order_by("-pk"), None
    while batch := await _read(rows.filter(pk__lt=last) if last else rows):
        yield _lines([_cells(event) for event in batch])
        last = batch[-1].pk


@sync_to_async
def _read(events: QuerySet[AuditEvent]) -> list[AuditEvent]:
    return list(events[:BATCH])


def _lines(rows: list[tuple[object, ...]]) -> str:
    text = StringIO()
    csv.writer(text).writerows([[defused(cell) for cell in row] for row in rows])
    return text.getvalue()


def _cells(event: AuditEvent) -> tuple[object, ...]:
    return (
        event.pk,
        event.recorded.astimezone(UTC).isoformat(timespec="microseconds"),
        event.subtype,
        event.action,
        event.outcome,
        event.user_id,
        event.user.name if event.user else "",
        event.role,
        event.link_id,
        event.clinic_id,
        event.entity_type,
        event.entity_id,
        event.patient_id,
        event.address,
        event.request_id,
        purpose_of_event(event) or "",
        json.dumps(event.detail, sort_keys=True),
    )


def defused(cell: object) -> str:
    """Text that no spreadsheet runs: an apostrophe before what looks like a formula."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text
