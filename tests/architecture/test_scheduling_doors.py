"""Who may open what scheduling and reminders brought: each address, by each kind of caller, reading and writing."""

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from accounts import doors
from accounts.models import Clinic, Patient, Practitioner
from tests import factories
from tests.accounts.test_doors import every_pattern, is_public
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.schedule.hours import day_of
from visits.schedule.models import ScheduleException, VisitType
from visits.waiting.models import Delay

pytestmark = pytest.mark.django_db

APPS = ("booking:", "calendar:", "online:", "waitlist:", "waiting:", "reminders:")
BOOKS = {"clinician", "front_desk"}
LOOKS = {"clinician", "front_desk", "clinic_admin"}
PATIENT, PARTY = {"patient"}, {"patient", "guest"}

# Public ones are in tests/accounts/test_doors.py, and what their tokens open in the tests of their apps.
MAY = {
    "booking:book": BOOKS,
    "booking:slots": BOOKS,
    "booking:patients": BOOKS,
    "booking:move": BOOKS,
    "booking:move_slots": BOOKS,
    "booking:cancel": BOOKS,
    "calendar:index": LOOKS,
    "calendar:day": LOOKS,
    "calendar:week": LOOKS,
    "calendar:month": LOOKS,
    "calendar:print": LOOKS,
    "calendar:move": BOOKS,
    "calendar:places": BOOKS,
    "calendar:undo": BOOKS,
    "calendar:time-off": LOOKS,
    "calendar:change-time-off": LOOKS,
    "calendar:feed": LOOKS,
    "online:booked": PATIENT,
    "online:visit": PATIENT,
    "online:calendar": PATIENT,
    "online:move": PATIENT,
    "online:cancel": PATIENT,
    "online:visits": PATIENT,
    "online:looks": PATIENT,
    "calendar:own-feed": PATIENT,
    "online:send-link": PATIENT,
    "waitlist:mine": PATIENT,
    "waitlist:visit": BOOKS,
    "waiting:room": PARTY,
    "waiting:moment": PATIENT,
    "waiting:left": PARTY,
    "waiting:today": LOOKS,
    "waiting:board": LOOKS,
    "waiting:late": BOOKS,
    "waiting:late-move": BOOKS,
    "waiting:admit": BOOKS,
    "waiting:link": BOOKS,
    "waiting:walk-in": BOOKS,
    "waiting:walk-in-check": BOOKS,
    "waiting:noshow": BOOKS,
    "reminders:send-again": BOOKS,
    "reminders:arrived": BOOKS,
}
# What some want to be told before they look at anything else.
SAYS = {"calendar:undo": {"revision": "1"}}


@pytest.fixture
def ids(visit: Appointment, clinic: Clinic, practitioner: Practitioner) -> dict[str, dict[str, Any]]:
    """What the addresses with ids name: all of it the clinic's, and the patient's."""
    off = ScheduleException.objects.create(
        clinic=clinic, practitioner=practitioner, kind="off", first_day=date(2030, 1, 1), last_day=date(2030, 1, 1)
    )
    message = Communication.objects.create(
        appointment=visit, patient=visit.patient, kind="confirmation", due_at=visit.start, serial=9
    )
    visit.changes.create(
        change="moved", revision=1, start=visit.start, practitioner=practitioner,
        old_start=visit.start, old_practitioner=practitioner,
    )  # fmt: skip
    # So that the front desk has somebody who may be late.
    Delay.objects.create(practitioner=practitioner, day=day_of(clinic, timezone.now()), minutes=15)
    other = factories.make_visit(practitioner, patient=visit.patient, visit_type=visit.visit_type)
    special = {
        "calendar:change-time-off": {"pk": off.pk},
        "online:send-link": {"pk": visit.pk, "other": other.pk},
        "waiting:late-move": {"pk": practitioner.pk},
        "reminders:send-again": {"pk": message.pk},
        "reminders:arrived": {"pk": message.pk},
    }
    with_ids = {name for name, path, _ in every_pattern(get_resolver().url_patterns) if "00000000-" in path}
    return {name: special.get(name, {"pk": visit.pk}) if name in with_ids else {} for name in MAY}


@pytest.fixture
def caller(
    request: Any,
    who: str,
    visit: Appointment,
    patient: Patient,
    verified: Any,
    password_only: Any,
    visit_type: VisitType,
) -> Client:
    match who:
        case "nobody":
            return Client()
        case "password alone":
            return password_only(request.getfixturevalue("front_desk"))
        case "patient":
            return browser(make_link(visit))
        case "guest":
            return browser(make_link(visit, guest="Ines"))
        case "patient of another visit":
            return browser(make_link(factories.make_visit(visit.practitioner, visit_type=visit_type)))
        case "patient by a link that was taken back":
            link = make_link(visit)
            client = browser(link)
            type(link).objects.update(revoked_at=visit.start)
            return client
    return verified(request.getfixturevalue(who))


CALLERS = [
    "nobody",
    "password alone",
    "clinician",
    "front_desk",
    "clinic_admin",
    "auditor",
    "stranger",
    "patient",
    "guest",
    "patient of another visit",
    "patient by a link that was taken back",
]


def test_every_address_is_in_the_table() -> None:
    every = {name: view for name, _, view in every_pattern(get_resolver().url_patterns) if name.startswith(APPS)}

    assert set(MAY) == {name for name, view in every.items() if not is_public(view)}
    assert all(hasattr(view, doors.MARK) for view in every.values())


@pytest.mark.parametrize("who", CALLERS)
def test_each_address_opens_to_whom_it_should(who: str, caller: Client, ids: dict[str, dict[str, Any]]) -> None:
    cache.clear()
    opened, leaked = set(), []
    for name, kwargs in ids.items():
        for method in ("get", "post"):
            with transaction.atomic():
                answer = getattr(caller, method)(reverse(name, kwargs=kwargs), SAYS.get(name))
                transaction.set_rollback(True)
            if is_in(answer) and not (who == "stranger" and not kwargs):  # who is in at home, in a clinic of their own
                opened.add((name, method))
            if answer["Cache-Control"] != "no-store" or "Rosa" in answer.get("Location", ""):
                leaked.append((name, method))

    may = {name for name, whom in MAY.items() if who in whom}
    assert {name for name, _ in opened} == may
    assert not leaked


def is_in(answer: HttpResponse) -> bool:
    """Whether it passed the door, and did not only say that this is no way to ask."""
    if answer.status_code == 302:
        return not answer["Location"].startswith(("/signin/", "/link-needed/", "/no-clinic/"))
    return answer.status_code not in {403, 404, 405}
