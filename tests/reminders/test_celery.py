"""The tick, as it runs in production: beat, a worker, Valkey, a mail server."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telehealth.celery import app
from telehealth.embedded import end_with_parent, stop
from tests.reminders.conftest import announce, process_environment
from visits.reminders.models import Communication


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


def test_beat_knows_the_task():
    entry = app.conf.beat_schedule["send due messages"]
    app.loader.import_default_modules()

    assert entry["task"] in app.tasks


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


def _is_sent(visit) -> bool:
    return visit.communications.filter(kind="confirmation", state=Communication.State.SENT).exists()
