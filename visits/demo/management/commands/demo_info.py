from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from visits.demo import cast, services


class Command(BaseCommand):
    help = "Say where to look in the running demo: addresses, people, a patient's link."

    def handle(self, *args: Any, **options: Any) -> None:
        people = services.people()
        width = max(len(person.email) for person in people)
        lines = [
            "",
            f"  Telehealth is running at {_url('home')}   (Ctrl-C stops it)",
            "",
            f"  Staff, all with the password   {cast.PASSWORD}",
            *(f"    {person.email:{width}}   {person.role}{person.note and f', {person.note}'}" for person in people),
            f"    6-digit codes of the moment:   {_url('demo:people')}",
            "",
            *_patient(),
            "",
            f"  Every mail that is sent:   {_url('demo:mail')}",
            f"  Administration:            {_url('admin:index')}   as admin@riverside.example",
        ]
        self.stdout.write("\n".join(lines))


def _patient() -> list[str]:
    try:
        ready = services.ready_visit()
    except services.NoFreeSlot:
        return ["  A patient: every clinician is booked for the next hours; book a visit as front desk."]
    return [
        f"  A patient, for {ready.visit.practitioner.name} at {ready.start}: open in another browser",
        f"    {ready.link}",
        f"    birth date {ready.birth_date}",
    ]


def _url(name: str) -> str:
    return settings.BASE_URL + reverse(name)
