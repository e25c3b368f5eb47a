"""Whether the audit trail is as it was written."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit.anchors import public_key
from accounts.audit.verifying import Altered, Verified, verify
from accounts.models import AuditAnchor


class Command(BaseCommand):
    help = (
        "Walk the whole audit trail. Exit status 0 and its length when it is as it was written; 1 and the first row "
        "that was altered, removed or added past us, or after which it is cut off."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchors",
            type=Path,
            default=settings.AUDIT_ANCHORS,
            help=f"a file of anchors, best one kept on another machine (default: {settings.AUDIT_ANCHORS})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["anchors"]
        if AuditAnchor.objects.exists() and not path.exists():
            raise CommandError(f"{path} is missing: without it nobody can say whether the end was cut off.")
        try:
            found = self._verify(path)
        except Altered as error:
            raise CommandError(f"The audit trail is not as it was written: {error.args[0]}.") from None
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
        anchor = f"place {found.anchor.position} at {found.anchor.at:%Y-%m-%d %H:%M:%S %Z}" if found.anchor else "none"
        self.stdout.write(
            f"The audit trail is as it was written: {found.sealed} rows, {found.unsealed} not sealed yet."
        )
        self.stdout.write(f"Last anchor: {anchor}")
        self.stdout.write(f"Public key of the anchors (Ed25519): {public_key()}")

    def _verify(self, path: Path) -> Verified:
        if not path.exists():
            return verify([], self._progress)
        with path.open() as lines:
            return verify(lines, self._progress)

    def _progress(self, done: int, of: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{done} of {of}", ending="\n" if done == of else "")
