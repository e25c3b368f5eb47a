"""All records of a clinic as FHIR R4: one file of NDJSON for each type of resource, in one ZIP."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Clinic
from visits.records.whole_clinic import Exists, export


class Command(BaseCommand):
    help = "Writes all records of a clinic into a new ZIP file: FHIR R4 as NDJSON, one file a type. Not encrypted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("clinic", help="its short name")
        parser.add_argument("file", type=Path, help="the ZIP file to make; an existing one is not touched")

    def handle(self, *args: Any, clinic: str, file: Path, **options: Any) -> None:
        found = Clinic.objects.filter(slug=clinic).first()
        if found is None:
            raise CommandError(f"There is no clinic {clinic!r}.")
        try:
            counts = export(found, file, self._progress)
        except Exists:
            raise CommandError(f"{file} exists already.") from None
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
        for kind, count in sorted(counts.items()):
            self.stdout.write(f"{kind:22} {count:10}")

    def _progress(self, done: int, of: int) -> None:
        self.stderr.write(f"{done} of {of} patients")
