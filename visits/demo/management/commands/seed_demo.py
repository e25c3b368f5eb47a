from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from visits.demo import services


class Command(BaseCommand):
    help = "Make the demo clinic with a lived-in week, or bring it to the present day. Repeating it adds nothing twice."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        clinic = services.seed()
        if options["verbosity"]:
            self.stdout.write(
                f"{clinic.name}: {clinic.patients.count()} patients, {clinic.appointments.count()} visits"
            )
