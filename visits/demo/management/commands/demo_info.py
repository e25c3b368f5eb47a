import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.urls import reverse

from visits.demo import cast, services


class Command(BaseCommand):
    help = "Say where to look in the running demo: addresses, people, a patient's link."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        people = services.people()
        ready = services.ready_visit()
        pages = {
            name: settings.BASE_URL + reverse(name) for name in ("home", "demo:people", "demo:mail", "admin:index")
        }
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "pages": pages,
                        "password": cast.PASSWORD,
                        "people": [asdict(person) for person in people],
                        "patient": {
                            "link": ready.link,
                            "birth_date": ready.visit.patient.birth_date.isoformat(),
                            "name": ready.visit.patient.full_name,
                            "visit": str(ready.visit.pk),
                            "start": ready.visit.start.isoformat(),
                            "clinician": ready.visit.practitioner.name,
                        },
                    },
                    indent=2,
                )
            )
            return
        width = max(len(person.email) for person in people)
        lines = [
            "",
            f"  Telehealth is running at {pages['home']}   (Ctrl-C stops it)",
            "",
            f"  Staff, all with the password   {cast.PASSWORD}",
            *(f"    {person.email:{width}}   {person.role}{person.note and f', {person.note}'}" for person in people),
            f"    6-digit codes of the moment:   {pages['demo:people']}",
            "",
            f"  A patient, for {ready.visit.practitioner.name} at {ready.start}: open in another browser",
            f"    {ready.link}",
            f"    birth date {ready.birth_date}",
            "",
            f"  Every mail that is sent:   {pages['demo:mail']}",
            f"  Administration:            {pages['admin:index']}   as admin@riverside.example",
        ]
        self.stdout.write("\n".join(lines))
