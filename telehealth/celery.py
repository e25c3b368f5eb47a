"""The Celery app and every periodic job. Intervals only: no ETA, no local-time crontab."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, task_success

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "telehealth.settings")

app = Celery("telehealth")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "send due messages": {"task": "visits.reminders.tasks.send_due", "schedule": 5.0, "options": {"expires": 5}},
    "send what is asked for": {"task": "visits.reminders.tasks.send_asked", "schedule": 5.0, "options": {"expires": 5}},
    "offer free times": {"task": "visits.waitlist.tasks.offer_on", "schedule": 10.0, "options": {"expires": 10}},
    "seal the audit trail": {"task": "accounts.audit.tasks.seal", "schedule": 5.0, "options": {"expires": 5}},
    "close silent presences": {"task": "visits.room.tasks.close_silent", "schedule": 15.0, "options": {"expires": 15}},
    "look at relays": {"task": "visits.room.tasks.look_at_relays", "schedule": 5.0, "options": {"expires": 5}},
    "make copies of records": {"task": "visits.records.tasks.tick", "schedule": 60.0, "options": {"expires": 60}},
    "let go of what is old": {"task": "visits.records.tasks.retain", "schedule": 86400.0},
    "forget old codes": {"task": "visits.online.tasks.forget_old", "schedule": 3600.0},
    "forget old codes of patients": {"task": "accounts.patients.tasks.forget_old", "schedule": 3600.0},
    "clear expired sessions": {"task": "accounts.login.tasks.clear_sessions", "schedule": 3600.0},
}


@beat_init.connect
def expect_ticks(**_: Any) -> None:
    from django.utils import timezone

    from telehealth import ticks

    ticks.expect(timezone.now())


@task_success.connect
def note_tick(sender: Any, **_: Any) -> None:
    from django.utils import timezone

    from telehealth import ticks

    ticks.note(sender.name, timezone.now())
