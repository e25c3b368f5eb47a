"""How long the dashboard takes for a clinic with 100,000 visits. Measured and printed: docs/figures.md.

Beside our queries stands the plain way: all rows of the period, counted one by one in Python. Filling takes minutes.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from math import ceil
from time import perf_counter
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Clinic, Patient, Practitioner, User
from tests import factories
from tests.dashboard.conftest import period
from tests.dashboard.reference import line
from tests.e2e.conftest import note
from visits.booking.models import Appointment
from visits.dashboard.period import Period
from visits.dashboard.reading import Numbers, numbers_of
from visits.reminders.models import Communication
from visits.room.models import Encounter, LineMinute, Seat
from visits.schedule.hours import day_of, zone_of
from visits.waiting.models import Ticket

pytestmark = [pytest.mark.bench, pytest.mark.django_db]

DAYS = 730  # two years: all of them are in a year and the one before
CLINICIANS = 137  # each has one visit a day
OF_LINES = 5  # the flight recorder's minutes of every fifth visit: 10 minutes of one person
MINUTE = timedelta(minutes=1)
TIMES = 3


def fill(clinic: Clinic, people: list[Practitioner], patients: list[Patient]) -> None:
    chance = random.Random(3)
    yesterday = day_of(clinic, timezone.now()) - timedelta(days=1)
    visits = []
    for batch in batches(_visits(clinic, people, patients, yesterday, chance)):
        visits += Appointment.objects.bulk_create(batch)
    held = [visit for visit in visits if visit.status == "fulfilled"]
    for batch in batches(held):
        Ticket.objects.bulk_create(
            Ticket(
                appointment=one, arrived_at=one.start - chance.randrange(900) * timedelta(seconds=1),
                admitted_at=one.start + chance.randrange(900) * timedelta(seconds=1), admitted_by=one.practitioner.user,
            )
            for one in batch
        )  # fmt: skip
    encounters = []
    for batch in batches(held):
        encounters += Encounter.objects.bulk_create(
            Encounter(appointment=one, started_at=one.start + chance.randrange(15) * MINUTE, encryption="required")
            for one in batch
        )
    seats = Seat.objects.bulk_create(
        [Seat(encounter=one, user=one.appointment.practitioner.user, name="A", role="clinician") for one in encounters],
        batch_size=5000,
    )
    for batch in batches(_minutes(seats[::OF_LINES], chance)):
        LineMinute.objects.bulk_create(batch)
    for batch in batches(visits):
        Communication.objects.bulk_create(
            Communication(
                appointment=one, patient=one.patient, start=one.start, kind="reminder", lead=60, state="sent",
                due_at=one.start - 60 * MINUTE, sent_at=one.start - 60 * MINUTE,
            )
            for one in batch
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _visits(
    clinic: Clinic, people: list[Practitioner], patients: list[Patient], last: date, chance: random.Random
) -> Iterator[Appointment]:
    visit_type, zone = factories.make_visit_type(clinic), zone_of(clinic)
    for day in range(DAYS):
        opens = datetime.combine(last - timedelta(days=day), time(8), zone).astimezone(UTC)
        for one, patient in zip(people, patients, strict=True):
            start = opens + chance.randrange(40) * 15 * MINUTE
            yield Appointment(
                clinic=clinic, practitioner=one, patient=patient, visit_type=visit_type, start=start,
                end=start + 20 * MINUTE, busy_start=start, busy_end=start + 20 * MINUTE,
                status=chance.choice(["fulfilled"] * 8 + ["noshow", "cancelled"]),
            )  # fmt: skip


def _minutes(seats: list[Seat], chance: random.Random) -> Iterator[LineMinute]:
    for seat in seats:
        for number in range(10):
            loss, trip = chance.choice([0, 0, 0, 0.001, 0.004, 0.05, 0.2]), chance.uniform(20, 400)
            yield LineMinute(
                seat=seat, minute=seat.encounter.started_at + number * MINUTE, seconds=60,
                relay={"loss_up": [0, loss, loss], "loss_down": [0, 0.001, 1], "round_trip": [1, trip, 900]},
            )  # fmt: skip


def batches(rows: Any) -> Iterator[list[Any]]:
    found = iter(rows)
    while batch := list(islice(found, 5000)):
        yield batch


def test_the_dashboard_of_a_clinic_with_many_visits(
    clinic: Clinic, clinic_admin: User, verified: Callable[[User], Client]
) -> None:
    people = [factories.make_practitioner(clinic) for _ in range(CLINICIANS)]
    fill(clinic, people, [factories.make_patient(clinic) for _ in people])
    ada = verified(clinic_admin)
    yesterday = day_of(clinic, timezone.now()) - timedelta(days=1)

    note(f"\n{connection.vendor}: {Appointment.objects.count()} visits, {LineMinute.objects.count()} minutes of lines")
    note(f"{'ms':<10}{'queries alone':>15}{'the whole page':>16}{'queries':>9}{'KB':>6}{'row by row':>12}")
    for days in (7, 30, 90, 365):
        wanted = period(clinic, yesterday, days)
        alone = least(lambda wanted=wanted: numbers_of(clinic, wanted))
        page = least(lambda days=days: ada.get("/dashboard/", {"days": days}))
        with CaptureQueriesContext(connection) as seen:
            size = len(ada.get("/dashboard/", {"days": days}).content) / 1000
        naive = least(lambda wanted=wanted: row_by_row(clinic, wanted))
        assert row_by_row(clinic, wanted) == numbers_of(clinic, wanted)
        times = [f"{1000 * took:.0f}" for took in (alone, page, naive)]
        note(f"{f'{days} days':<10}{times[0]:>15}{times[1]:>16}{len(seen):>9}{size:>6.0f}{times[2]:>12}")


def row_by_row(clinic: Clinic, wanted: Period) -> Numbers:
    """Reads the columns of each row, and counts in Python by the day on the clinic's clock."""
    stretches = [*wanted.before.stretches, *wanted.stretches]
    numbers = {
        first + timedelta(days=day): number
        for number, (first, last) in enumerate(stretches)
        for day in range((last - first).days + 1)
    }
    start, end = wanted.edges[0], wanted.edges[-1]

    def counted(rows: Any, when: str, columns: list[str], key_of: Callable[..., Any]) -> list[Counter[Any]]:
        counts: list[Counter[Any]] = [Counter() for _ in stretches]
        rows = rows.filter(**{f"{when}__gte": start, f"{when}__lt": end}).order_by()
        for moment, *values in rows.values_list(when, *columns).iterator():
            if (key := key_of(*values)) is not None:
                counts[numbers[moment.astimezone(wanted.zone).date()]][key] += 1
        return counts

    def late(begin: datetime, end: datetime) -> int:
        return ceil((end - begin) / MINUTE)

    return Numbers(
        visits=counted(Appointment.objects.filter(clinic=clinic), "start", ["status"], str),
        waits=counted(
            Ticket.objects.filter(appointment__clinic=clinic), "appointment__start", ["arrived_at", "admitted_at"], late
        ),
        starts=counted(
            Encounter.objects.filter(appointment__clinic=clinic),
            "appointment__start",
            ["appointment__start", "started_at"],
            late,
        ),
        messages=counted(
            Communication.objects.filter(patient__clinic=clinic), "due_at", ["kind", "state"], lambda *key: key
        ),
        lines=counted(
            LineMinute.objects.filter(seat__encounter__appointment__clinic=clinic),
            "seat__encounter__appointment__start",
            ["relay"],
            line,
        ),
        refused=[Counter() for _ in stretches],
    )


def least(do: Callable[[], object]) -> float:
    """The quickest of some times: other work on the machine only adds."""
    took = []
    for _ in range(TIMES):
        began = perf_counter()
        do()
        took.append(perf_counter() - began)
    return min(took)
