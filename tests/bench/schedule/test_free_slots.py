"""Free slots of a month and of fifty clinicians, beside django-appointment. Printed, never asserted: docs/figures.md.

It is none of the project's packages, and brings another copy of one of them: give it an environment of its own.
"""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.bench.schedule import peer
from tests.bench.schedule.clinic import ZONE, make_clinic
from tests.e2e.conftest import note
from visits.booking.models import Appointment
from visits.booking.times import free_slots, free_slots_of_any

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True)]

OURS, THEIRS = 20, 3  # times


def test_free_slots() -> None:
    pytest.importorskip("appointment", reason="django-appointment is not installed here: see docs/figures.md")
    today = datetime.now(ZONE).date()
    tomorrow = today + timedelta(days=1)
    with peer.installed(), timezone.override(ZONE):
        people, visit_type = make_clinic(today)
        staff, service = peer.copy(people)
        connection.cursor().execute("ANALYZE")
        one = {"practitioner": people[0], "visit_type": visit_type, "first_day": tomorrow}
        anybody = {"clinic": people[0].clinic, "visit_type": visit_type, "first_day": tomorrow, "for_patient": False}

        def month() -> list[datetime]:
            return [slot.start for slot in free_slots(**one, last_day=last_of(30))]

        def week() -> list[datetime]:
            found = free_slots_of_any(**anybody, last_day=last_of(7))
            return [slot.start for slot, whom in found for _ in whom]

        def last_of(days: int) -> date:
            return today + timedelta(days=days)

        lines = [
            compare("one clinician, 30 days", month, lambda: peer.free(staff[:1], service, tomorrow, last_of(30))),
            compare("50 clinicians, 7 days", week, lambda: peer.free(staff, service, tomorrow, last_of(7))),
        ]
        visits = Appointment.objects.count()
        Appointment.objects.filter(start__lt=timezone.now() - timedelta(days=31))._raw_delete(connection.alias)
        lines.append(f"{'one clinician, without that year':<36}{milliseconds(month, OURS):>10.1f}")

    note(f"\n{connection.vendor}, {visits} visits of {len(people)} clinicians")
    note(f"{'ms (queries)':<36}{'ours':>16}{'django-appointment':>22}{'ratio':>8}")
    note("\n".join(lines))


def compare(what: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> str:
    """One line of the table, once both were seen to find the same."""
    assert ours() == theirs()
    quick, slow = milliseconds(ours, OURS), milliseconds(theirs, THEIRS)
    columns = f"{quick:.1f} ({queries(ours)})", f"{slow:.0f} ({queries(theirs)})", f"{slow / quick:.0f}"
    return f"{what:<36}{columns[0]:>16}{columns[1]:>22}{columns[2]:>8}"


def milliseconds(ask: Callable[[], Any], times: int) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return median(took) * 1000


def queries(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)
