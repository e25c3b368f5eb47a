"""``manage.py rotate_keys``: everything that is sealed comes under the first of TELEHEALTH_DATA_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import models

from accounts.audit import services as audit
from accounts.keys import ring, rotation
from accounts.keys.sealing import CannotOpen
from accounts.models import AuditEvent


class Command(BaseCommand):
    help = "Encrypt every column anew with the first data key. May be stopped and started at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        first = ring.first()
        # A run that was killed, or stopped at a value that does not open, is on the trail as well.
        self.record(key=first.id, step="begin")
        try:
            written = rotation.rotate(self.progress)
        except (CannotOpen, ring.UnknownKey) as error:
            raise CommandError(f"{error} What came before it is done.") from error
        left = rotation.under_keys()
        self.record(key=first.id, step="end", rows=written, values=dict(left))
        self.stdout.write(f"{written} rows written. {left[first.id]} values are under {first.id!r}, the first key.")
        for key in ring.ring()[1:]:
            self.stdout.write(
                f"{left[key.id]} values are still under {key.id!r}: run this again."
                if left[key.id]
                else f"No row uses {key.id!r} any more: it may go, once no process has it first."
            )
        unknown = sorted(set(left) - {key.id for key in ring.ring()})
        if unknown:
            raise CommandError(f"Values are under keys that are not there: {', '.join(unknown)}.")

    def record(self, **detail: Any) -> None:
        audit.record("keys.rotate", AuditEvent.Action.EXECUTE, detail=detail)

    def progress(self, model: type[models.Model], done: int, of: int) -> None:
        self.stdout.write(f"{model._meta.label}: {done} of {of}")
