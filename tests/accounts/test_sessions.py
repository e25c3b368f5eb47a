"""Sessions that are over leave nothing behind."""

from datetime import timedelta
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from accounts.login.tasks import clear_sessions
from telehealth.celery import app


def make_session(age: timedelta) -> str:
    session = SessionStore()
    session["mfa_key"] = "a key that nobody confirmed"
    session.set_expiry(age)
    session.save()
    return str(session.session_key)


def test_expired_sessions_are_removed_and_others_stay(db: Any):
    make_session(timedelta(seconds=-1))
    living = make_session(timedelta(hours=1))

    clear_sessions()

    assert [row.session_key for row in Session.objects.all()] == [living]


def test_every_periodic_job_names_a_task_that_exists():
    app.loader.import_default_modules()

    assert {job["task"] for job in app.conf.beat_schedule.values()} <= set(app.tasks)
