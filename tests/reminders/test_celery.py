"""The tick, as it runs in production: beat, a worker, Valkey, a mail server."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import PatientCode
from telehealth.celery import app
from telehealth.embedded import end_with_parent, stop
from tests import factories
from tests.reminders.conftest import announce, process_environment
from visits.reminders.models import Communication
from visits.reminders.services import planning

ONE_AT_A_TIME = ("--pool", "threads", "--concurrency", "1", "--without-mingle", "--without-gossip")


@contextmanager
def celery(role: str, port: int, *options: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "telehealth", "--quiet", role, "--loglevel", "WARNING", *options],
        env=process_environment(port),
        cwd=Path(__file__).parent.parent.parent,
        preexec_fn=end_with_parent,
    )
    try:
        yield
    finally:
        stop(process)


def test_what_beat_and_the_queues_name_is_there():
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
    assert set(app.conf.task_routes) <= set(app.tasks)


def test_a_worker_that_is_told_of_no_queue_serves_both():
    assert set(app.amqp.queues) == {"celery", "prompt"}
    assert app.amqp.router.route({}, "accounts.patients.tasks.send_code")["queue"].name == "prompt"
    assert app.amqp.router.route({}, "visits.reminders.tasks.send_due")["queue"].name == "celery"


@pytest.mark.django_db(transaction=True)
def test_a_booked_visit_is_confirmed_by_beat_and_a_worker(visit, mail_server, tmp_path):
    announce(visit, "booked")

    with (
        celery("worker", mail_server.port, "--pool", "threads", "--concurrency", "2", "--without-mingle"),
        celery("beat", mail_server.port, "--pidfile", "", "--schedule", str(tmp_path / "beat")),
    ):
        deadline = time.monotonic() + 60
        while not _is_sent(visit) and time.monotonic() < deadline:
            time.sleep(0.1)

    assert _is_sent(visit)
    assert [mail["To"] for mail in mail_server.arrived] == ["rosa@example.org"]


@pytest.mark.django_db(transaction=True)
def test_what_somebody_waits_for_does_not_stand_behind_a_slow_batch(visit, patient, mail_server):
    """A code to sign in, and a link that a patient asks for, while the other worker's mail server does not answer."""
    stuck, release = threading.Event(), threading.Event()

    def hold_reminders(to: str) -> None:
        if to == patient.email:
            stuck.set()
            release.wait(60)

    mail_server.on_recipient = hold_reminders
    announce(visit, "booked")
    waiting = factories.make_patient(visit.clinic, email="waits@example.org")
    row = PatientCode.objects.create(
        email=waiting.email, patient=waiting, language="en", expires_at=timezone.now() + timedelta(minutes=10)
    )
    asks = factories.make_visit(
        visit.practitioner, patient=factories.make_patient(visit.clinic, email="asks@example.org")
    )

    with (
        celery("worker", mail_server.port, "--queues", "celery", *ONE_AT_A_TIME),
        celery("worker", mail_server.port, "--queues", "prompt", "--hostname", "prompt@%h", *ONE_AT_A_TIME),
    ):
        try:
            app.send_task("visits.reminders.tasks.send_due")
            assert stuck.wait(60)
            planning.announce(asks, Communication.Kind.CONFIRMATION, serial_of="asked", details={"asked": True})
            began = time.monotonic()
            app.send_task("accounts.patients.tasks.send_code", [str(row.pk)])
            app.send_task("visits.reminders.tasks.send_asked")
            while len(mail_server.arrived) < 2 and time.monotonic() < began + 20:
                time.sleep(0.05)

            assert {mail["To"] for mail in mail_server.arrived} == {"waits@example.org", "asks@example.org"}
            assert not _is_sent(visit)
        finally:
            release.set()


def _is_sent(visit) -> bool:
    return visit.communications.filter(kind="confirmation", state=Communication.State.SENT).exists()
