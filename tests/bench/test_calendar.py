"""How long the server takes for a clinic's calendar with 2,000 visits a week. Measured and printed: docs/figures.md.

Processor time of the whole request, SQLite's included, which runs in this process: so a busy machine measures the same.
"""

import gc
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from statistics import median
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Clinic, Practitioner, User
from tests import factories
from tests.calendar.conftest import TUESDAY
from tests.e2e.conftest import note
from visits.booking.models import Appointment
from visits.schedule.models import VisitType

pytestmark = [pytest.mark.bench, pytest.mark.django_db]

CLINICIANS, DAYS, EACH_DAY = 50, 5, 8
TIMES = 15


def fill(clinic: Clinic) -> Practitioner:
    """A week of 50 clinicians with eight visits a day each; return one of them."""
    monday, zone = TUESDAY - timedelta(days=1), ZoneInfo(clinic.time_zone)
    types = [factories.make_visit_type(clinic, colour=colour) for colour in VisitType.Colour.values[:4]]
    patients = [factories.make_patient(clinic) for _ in range(200)]
    people = [factories.make_practitioner(clinic) for _ in range(CLINICIANS)]
    rows = []
    for number, one in enumerate(people):
        for day in range(DAYS):
            factories.make_hours(one, day)
            opens = datetime.combine(monday + timedelta(days=day), time(9), zone).astimezone(UTC)
            for turn in range(EACH_DAY):
                start = opens + timedelta(hours=turn)
                end = start + timedelta(minutes=20)
                # Nobody is in two places at once: 50 patients an hour, others the next.
                patient = patients[(number + CLINICIANS * turn) % len(patients)]
                rows.append(
                    Appointment(
                        clinic=clinic, practitioner=one, patient=patient, visit_type=types[turn % 4],
                        start=start, end=end, busy_start=start, busy_end=end,
                    )
                )  # fmt: skip
    Appointment.objects.bulk_create(rows, batch_size=500)
    return people[0]


def test_the_week_of_a_clinic(clinic: Clinic, front_desk: User, verified: Callable[[User], Client]) -> None:
    one, desk = fill(clinic), verified(front_desk)
    gc.collect()
    gc.freeze()  # as telehealth.asgi does
    pages = {
        "the clinic's week": ("week", "clinic"),
        "a clinician's week": ("week", str(one.pk)),
        "the clinic's day": ("day", "clinic"),
        "the clinic's month": ("month", "clinic"),
    }

    head = f"ms of processor time, {TIMES} times"
    note(f"\n{head:<30}{'median':>8}{'max':>8}{'queries':>9}{'KB':>7}{'visits':>8}")
    for name, (view, who) in pages.items():
        asked = {"day": str(TUESDAY), "who": who}
        desk.get(f"/calendar/{view}/", asked)  # templates are read once in the life of a process
        took = []
        for _ in range(TIMES):
            began = process_time()
            answer = desk.get(f"/calendar/{view}/", asked)
            took.append(1000 * (process_time() - began))
        with CaptureQueriesContext(connection) as queries:
            desk.get(f"/calendar/{view}/", asked)
        size, visits = len(answer.content) / 1000, answer.content.count(b"/visits/")
        note(f"{name:<30}{median(took):>8.0f}{max(took):>8.0f}{len(queries):>9}{size:>7.0f}{visits:>8}")
