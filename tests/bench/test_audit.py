"""What the audit trail costs a clinic that books: eight processes book as fast as they can. Printed: docs/figures.md.

Beside our own way stands the plain one, a chain that is made in the booking's own transaction: why it is not ours.
"""

import multiprocessing
import time
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from statistics import median
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, connections

from accounts.audit import sealing
from accounts.audit.services import record
from accounts.database import is_alone
from accounts.models import AuditEvent, Clinic, Patient, Practitioner, User
from accounts.principal import Principal
from tests import factories
from tests.booking.conftest import TUESDAY, at
from tests.conftest import staff
from tests.e2e.conftest import note
from visits.booking import services
from visits.schedule.models import VisitType

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True)]

CLIENTS, EACH, ROUNDS = 8, 40, 5
DAY = timedelta(days=1)
RECORD = "visits.booking.services.history.record"


def nothing(*args: Any, **kwargs: Any) -> None:
    pass


def chained_at_once(*args: Any, **kwargs: Any) -> AuditEvent:
    """One booking after the other: who has the end of the chain keeps it until the commit."""
    event = record(*args, **kwargs)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sealing.LOCK])
    assert is_alone(sealing.LOCK)
    sealing._seal_batch()
    return event


WAYS: dict[str, Callable[..., object]] = {
    "without": nothing,
    "with the trail": record,
    "chained at once": chained_at_once,
}


def test_bookings_a_second(
    clinic: Clinic, front_desk: User, visit_type: VisitType, settings: Any, tmp_path: Any
) -> None:
    settings.AUDIT_ANCHORS = tmp_path / "audit-anchors"
    desk = staff(front_desk)
    people = [(factories.make_practitioner(clinic), factories.make_patient(clinic)) for _ in range(CLIENTS)]
    for practitioner, _ in people:
        for weekday in range(7):
            factories.make_hours(practitioner, weekday, "00:00", "23:40")

    days = (TUESDAY + n * DAY for n in count())
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(ROUNDS + 1):
        for name, way in WAYS.items():
            rate = bookings_a_second(way, desk, people, visit_type, next(days))
            if turn:  # the first is to warm up
                rates[name].append(rate)

    plain = median(rates["without"])
    note(f"\n{connection.vendor}, {CLIENTS} clients{'bookings/s':>16}{'ratio':>8}   (least and most)")
    for name, found in rates.items():
        ratio = median(found) / plain
        note(f"{name:<28}{median(found):>8.1f}{ratio:>8.2f}   ({min(found):.1f} to {max(found):.1f})")


def bookings_a_second(
    way: Callable[..., object], desk: Principal, people: list[tuple[Practitioner, Patient]], kind: VisitType, day: date
) -> float:
    """Each client books its own clinician and patient, so nobody waits for another one's time."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(CLIENTS + 1)

    def book(practitioner: Practitioner, patient: Patient) -> None:
        first = at("00:00", day)
        with patch(RECORD, way):
            connection.ensure_connection()
            barrier.wait()
            for n in range(EACH):
                services.book(
                    principal=desk,
                    practitioner=practitioner,
                    patient=patient,
                    visit_type=kind,
                    start=first + n * timedelta(minutes=20),
                )

    connections.close_all()
    clients = [fork.Process(target=book, args=pair) for pair in people]
    for client in clients:
        client.start()
    barrier.wait()
    began = time.monotonic()
    while any(client.is_alive() for client in clients):
        sealing.seal()
        clients[0].join(0.5)
    for client in clients:
        client.join()
    took = time.monotonic() - began
    assert [client.exitcode for client in clients] == [0] * CLIENTS
    return CLIENTS * EACH / took
