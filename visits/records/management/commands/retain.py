"""Let go of what is over its time, as every night; or show what would go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from visits.records import retention


class Command(BaseCommand):
    help = "Lets go of what each clinic keeps no longer. --dry-run shows it, and changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, and name the oldest; change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        clinic = None
        for due in retention.find() if dry_run else retention.run():
            if due.clinic != clinic:
                clinic = due.clinic
                self.stdout.write(clinic.name)
            oldest = f", oldest {due.oldest:%Y-%m-%d}" if due.oldest else ""
            held = f", {due.on_hold} kept by a legal hold" if due.on_hold else ""
            verb = "would go" if dry_run else "gone"
            self.stdout.write(f"  {due.subject.value:10} {due.rows:8} {verb}, after {due.days} days{oldest}{held}")
        self.stdout.write("The audit trail is kept: no row of it is ever removed.")
