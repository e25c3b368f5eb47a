"""What a busy clinic costs: 50 open boards, 200 waiting patients (docs/figures.md).

Run it as ``.venv/bin/python -m tests.waiting.busy_day [seconds]``; PostgreSQL by TELEHEALTH_TEST_DATABASE=postgresql.
"""

import tests.environment  # noqa: F401  # isort: skip - before Django reads its settings
import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from statistics import median
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telehealth.settings")
django.setup()

from channels.db import database_sync_to_async  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.policy import Role  # noqa: E402
from tests import factories  # noqa: E402
from tests.conftest import verify  # noqa: E402
from tests.live.sockets import Socket  # noqa: E402
from tests.party import bearer, browser, make_link  # noqa: E402
from visits.booking.models import Appointment  # noqa: E402
from visits.checkin import services as checkin  # noqa: E402
from visits.reminders.models import Communication  # noqa: E402
from visits.waiting import board, services  # noqa: E402
from visits.waiting.models import Ticket  # noqa: E402

CLINICIANS, WAITING_EACH, BOARDS = 10, 20, 50


def make_day() -> tuple[list[Client], list[tuple[str, Client]], list[Appointment]]:
    """Fifty members of staff, two hundred waiting patients, and for each clinician one who is about to come."""
    clinic = factories.make_clinic(time_zone=factories.midday_zone())
    members = [factories.make_member(clinic, Role.CLINICIAN) for _ in range(BOARDS)]
    visit_type = factories.make_visit_type(clinic, minutes=10)
    patients, coming = [], []
    for user in members[:CLINICIANS]:
        practitioner = factories.make_practitioner(clinic, user)
        for place in range(WAITING_EACH + 1):
            start = timezone.now() + timedelta(minutes=10 * (place - WAITING_EACH))
            visit = factories.make_visit(practitioner, visit_type=visit_type, start=start)
            link = make_link(visit)
            checkin.save_details(
                principal=bearer(link), visit=visit, callback_phone="5550100177", location="", emergency_contact=""
            )
            text = checkin.consent_text(clinic, "en")
            assert text is not None
            checkin.give_consent(principal=bearer(link), visit=visit, text=text)
            remind(visit)
            if place == WAITING_EACH:
                coming.append(visit)
            else:
                services.arrive(principal=bearer(link), visit=visit)
                patients.append((f"/ws/my/{visit.pk}/waiting/", browser(link)))
    Ticket.objects.update(arrived_at=timezone.now() - timedelta(minutes=5))
    return [verify(Client(), user) for user in members], patients, coming


def remind(visit: Appointment) -> None:
    for kind in (Communication.Kind.CONFIRMATION, Communication.Kind.FORM_MISSING):
        Communication.objects.get_or_create(
            appointment=visit,
            kind=kind,
            revision=0,
            defaults={
                "due_at": timezone.now(),
                "sent_at": timezone.now(),
                "state": Communication.State.SENT,
            },
        )


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def cost(name: str, work: Callable[[], Any]) -> None:
    queries, times = [], []

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        queries.append(arguments[0])
        return execute(*arguments)

    work()
    with connection.execute_wrapper(count):
        work()
    for _ in range(10):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    tell(f"{name}: {len(queries)} queries, {median(times) * 1000:.1f} ms")


def costs(client: Client, visit: Appointment) -> None:
    link = make_link(visit)
    cost("what a board's socket tells", lambda: board.versions(visit.clinic, timezone.now()))
    page = client.get("/today/board/?scope=clinic")
    cost(f"a board's page, {len(page.content) // 1024} KiB", lambda: client.get("/today/board/?scope=clinic"))
    cost("what a patient's socket tells", lambda: services.look(principal=bearer(link), visit_id=visit.pk))
    cost("a sign of life", lambda: services.be_here(principal=bearer(link), visit_id=visit.pk))


async def live(
    boards: list[Client], patients: list[tuple[str, Client]], coming: list[Appointment], seconds: int
) -> None:
    async with AsyncExitStack() as stack:
        start = time.monotonic()
        staff_sockets = [await stack.enter_async_context(Socket(client, "/ws/board/")) for client in boards]
        waiting = [await stack.enter_async_context(Socket(client, path)) for path, client in patients]
        for socket in [*staff_sockets, *waiting]:
            await socket.until("state")
        tell(f"{len(staff_sockets)} + {len(waiting)} sockets open: {time.monotonic() - start:.1f} s")
        busy, start = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        tell(f"at rest: {(time.process_time() - busy) / (time.monotonic() - start):.0%} of a core")
        for visit in coming[:3]:
            await asyncio.sleep(5)
            await arrival(staff_sockets, visit)


async def arrival(boards: list[Socket], visit: Appointment) -> None:
    link = await database_sync_to_async(make_link)(visit)
    for socket in boards:
        while not await socket.is_silent(0.001):
            await socket.next()
    busy, start = time.process_time(), time.monotonic()
    await database_sync_to_async(services.arrive)(principal=bearer(link), visit=visit)

    async def heard(socket: Socket) -> float:
        await socket.until("arrival")
        return time.monotonic() - start

    heard_after = await asyncio.gather(*(heard(socket) for socket in boards))
    await asyncio.sleep(4)
    tell(
        f"an arrival: heard by the first board after {min(heard_after):.2f} s, by the last after"
        f" {max(heard_after):.2f} s; {time.process_time() - busy:.2f} s of CPU within 4 s"
    )


def main() -> None:
    setup_test_environment()
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    connection.creation.create_test_db(verbosity=0)
    boards, patients, coming = make_day()
    tell(f"{connection.vendor}; {BOARDS} boards, {len(patients)} patients waiting for {CLINICIANS} clinicians")
    costs(boards[-1], Appointment.objects.filter(status=Appointment.Status.ARRIVED).order_by("start").last())
    asyncio.run(live(boards, patients, coming, int(sys.argv[1]) if len(sys.argv) > 1 else 30))
    connection.creation.destroy_test_db("unused", verbosity=0)


if __name__ == "__main__":
    main()
