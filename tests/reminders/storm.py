"""Confirmations, reminders and cancellations by mail and text message while everything dies: workers and Redis by
SIGKILL, two beats at once, visits cancelled meanwhile.

    python -m tests.reminders.storm [--messages 5000] [--seed 1]

Afterwards nothing was sent twice, nothing is lost, and nobody was told of a visit after it was cancelled: each message
is sent, not sent for a reason, or "perhaps sent" and waits for a person. Of those there are no more than the dead
workers had in their hands, since nothing else ends a talk with a provider here: each as many as it has threads. Prints
what happened; ends with 1 when there are more.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":  # before Django is loaded
    import django

    import tests.environment  # noqa: F401

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telehealth.settings")
    django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import OperationalError  # noqa: E402
from django.utils import timezone  # noqa: E402

from telehealth.embedded import end_with_parent, start_valkey, stop  # noqa: E402
from tests import factories  # noqa: E402
from tests.reminders import mailserver  # noqa: E402
from tests.reminders.conftest import process_environment, set_policy  # noqa: E402
from visits.booking import services as booking  # noqa: E402
from visits.booking.models import Appointment  # noqa: E402
from visits.reminders import services  # noqa: E402
from visits.reminders.models import Communication  # noqa: E402
from visits.reminders.services.delivery import due  # noqa: E402

State = Communication.State
Kind = Communication.Kind

KINDS = (Kind.CONFIRMATION, Kind.REMINDER, Kind.CANCELLATION)
# How many messages a worker sends at once.
IN_HANDS = 2
# Between our note that a visit is cancelled and a mail that was being handed over just then.
ON_THE_WAY = timedelta(seconds=5)


@dataclass
class Storm:
    """The processes, and what was done to them."""

    folder: Path
    environment: dict[str, str]
    killed: Counter[str] = field(default_factory=Counter)
    # Of its own accord: what may happen to a process when Redis goes away.
    ended: Counter[str] = field(default_factory=Counter)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def perhaps_sent_at_most(self) -> int:
        return IN_HANDS * (self.killed["worker"] + self.ended["worker"])

    def start(self, name: str) -> None:
        if name == "valkey":
            self.running[name], url = start_valkey(self.folder)
            self.environment["TELEHEALTH_REDIS_URL"] = url
            return
        role = _role(name)
        options = {
            "worker": ["--pool", "threads", "--concurrency", str(IN_HANDS),
                       "--without-mingle", "--without-gossip", "-n", name],
            "beat": ["--pidfile", "", "--schedule", str(self.folder / name)],
        }[role]  # fmt: skip
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "telehealth", "--quiet", role, "--loglevel", "CRITICAL", *options],
            env=self.environment | {"TELEHEALTH_LOG_LEVEL": "CRITICAL"},
            cwd=ROOT,
            preexec_fn=end_with_parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, name: str) -> None:
        process = self.running[name]
        process.kill()
        process.wait()
        self.killed[_role(name)] += 1
        self.start(name)

    def mend(self) -> None:
        """Start anew what ended by itself, as a supervisor does."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                self.ended[_role(name)] += 1
                self.start(name)

    def stop(self) -> None:
        """Let each finish what it has in its hands; who takes too long is killed."""
        for name, process in self.running.items():
            stop(process)
            self.killed[_role(name)] += process.returncode == -signal.SIGKILL


def _role(name: str) -> str:
    return name.split("-")[0]


@contextmanager
def storm(mail_port: int, folder: Path) -> Iterator[Storm]:
    made = Storm(folder, process_environment(mail_port))
    try:
        for name in ("valkey", "worker-1", "worker-2", "beat-1", "beat-2"):
            made.start(name)
        yield made
    finally:
        made.stop()


def make(count: int) -> list[Appointment]:
    """``count`` visits, each with one message that is due: of each kind by turns, as mails and as text messages."""
    clinic = factories.make_clinic()
    set_policy(clinic, sms=True)
    practitioner = factories.make_practitioner(clinic)
    visit_type = factories.make_visit_type(clinic, minutes=20)
    patients = [factories.make_patient(clinic) for _ in range(20)]
    first = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    visits = []
    for number in range(count):
        start = first + timedelta(minutes=20) * number
        end = start + timedelta(minutes=20)
        is_off = KINDS[number % 3] == Kind.CANCELLATION
        status = Appointment.Status.CANCELLED if is_off else Appointment.Status.BOOKED
        visits.append(
            Appointment(clinic=clinic, practitioner=practitioner, patient=patients[number % 20], status=status,
                        visit_type=visit_type, start=start, end=end, busy_start=start, busy_end=end)
        )  # fmt: skip
    Appointment.objects.bulk_create(visits, 500)
    now = timezone.now()
    Communication.objects.bulk_create(
        [
            Communication(appointment=visit, patient=visit.patient, kind=KINDS[number % 3], start=visit.start,
                          due_at=now, lead=1440 * (KINDS[number % 3] == Kind.REMINDER),
                          channel="sms" if number // 3 % 2 else "email")
            for number, visit in enumerate(visits)
        ],
        500,
    )  # fmt: skip
    return visits


def blow(storm: Storm, visits: list[Appointment], dice: random.Random, seconds: float) -> dict[Any, datetime]:
    """Kill and cancel until nothing is due any more; return when which visit was cancelled."""
    cancelled: dict[Any, datetime] = {}
    booked = [visit for visit in visits if visit.status == Appointment.Status.BOOKED]
    to_cancel = dice.sample(booked, len(visits) // 20)
    until = time.monotonic() + seconds
    # After some messages, so that they die at work; or after a while, so that nobody hangs for ever.
    left = due(timezone.now()).count()
    kill_at, kill_by = left - dice.randint(5, 20), time.monotonic() + 40
    while left and time.monotonic() < until:
        time.sleep(dice.uniform(0.01, 0.1))
        left = due(timezone.now()).count()
        if to_cancel:
            visit = to_cancel.pop()
            try:
                booking.cancel(principal=None, visit=visit)
                cancelled[visit.pk] = timezone.now()
            except OperationalError:  # SQLite was locked for long
                to_cancel.append(visit)
        if left <= kill_at or time.monotonic() > kill_by:
            storm.kill(dice.choice(["valkey", "worker-1", "worker-2", "worker-1", "worker-2"]))
            kill_at, kill_by = left - dice.randint(10, 10 + len(visits) // 20), time.monotonic() + 40
        storm.mend()
    return cancelled


def calm() -> None:
    """What the ticks of the next minutes do: they find what the dead left behind."""
    for _ in range(100):
        later = timezone.now() + timedelta(minutes=3)
        services.send_due(later)
        if not due(later).exists() and not Communication.objects.filter(state=State.CLAIMED).exists():
            return


def check(server: mailserver.MailServer, cancelled: dict[Any, datetime]) -> dict[str, int]:
    """Compare what arrived with what the ledger says. AssertionError where they differ; else the numbers."""
    arrived: dict[str, list[datetime]] = {}
    for mail, at in zip(server.arrived, server.times, strict=True):
        arrived.setdefault(str(mail["Message-ID"])[1:].split("@")[0], []).append(at)
    for path in Path(settings.SMS_FILE_PATH).glob("*.json"):
        at = datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.get_default_timezone())
        arrived.setdefault(json.loads(path.read_text())["key"], []).append(at)
    counts: Counter[str] = Counter()
    for message in Communication.objects.filter(due_at__lte=timezone.now() + timedelta(hours=1)):
        times = arrived.pop(str(message.pk), [])
        counts[f"{message.kind}, {message.state}{', arrived' if times else ''}"] += 1
        assert len(times) <= 1, f"sent twice: {message}"
        if message.state == State.SENT:
            assert times, f"lost: {message}"
        elif message.state in {State.SUPPRESSED, State.FAILED}:
            assert not times, f"sent though not: {message} {message.reason}"
        else:
            assert message.state == State.UNKNOWN, f"forgotten: {message}"
        if message.kind != Kind.CANCELLATION and times and message.appointment_id in cancelled:
            assert times[0] <= cancelled[message.appointment_id] + ON_THE_WAY, f"after the cancellation: {message}"
    assert not arrived, "arrived from nowhere"
    for pk in cancelled:
        rows = Communication.objects.filter(appointment=pk)
        was_told = rows.exclude(kind=Kind.CANCELLATION).filter(dispatched_at__isnull=False).exists()
        is_told = rows.filter(kind=Kind.CANCELLATION).exists()
        assert is_told == was_told, "told of the end of what nobody knew, or not told"
    return dict(sorted(counts.items()))


def run(messages: int, seed: int, seconds: float) -> dict[str, Any]:
    dice = random.Random(seed)
    visits = make(messages)
    begin = time.monotonic()
    with mailserver.running() as server, TemporaryDirectory(prefix="storm-") as folder:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # the dead hang up
        with storm(server.port, Path(folder)) as processes:
            cancelled = blow(processes, visits, dice, seconds)
        calm()
        counts = check(server, cancelled)
    return {"seconds": round(time.monotonic() - begin), "killed": dict(processes.killed),
            "ended": dict(processes.ended), "cancelled": len(cancelled), **counts,
            "perhaps sent": Communication.objects.filter(state=State.UNKNOWN).count(),
            "perhaps sent, at most": processes.perhaps_sent_at_most}  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    chosen = parser.parse_args()
    call_command("migrate", verbosity=0)
    found = run(chosen.messages, chosen.seed, chosen.seconds)
    for name, number in found.items():
        sys.stdout.write(f"{name}: {number}\n")
    sys.exit(found["perhaps sent"] > found["perhaps sent, at most"])
