import os
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Clinic, Patient, Practitioner
from tests import factories
from tests.reminders import mailserver
from visits.booking.models import Appointment, AppointmentChange
from visits.booking.signals import appointment_changed
from visits.reminders.models import Communication, ReminderPolicy
from visits.schedule.models import VisitType


def set_policy(clinic: Clinic, **fields: Any) -> ReminderPolicy:
    """The reminders that every clinic has, at any hour of the day unless ``fields`` say otherwise."""
    return ReminderPolicy.make(clinic, **{"quiet_from": time(0), "quiet_until": time(0)} | fields)


@pytest.fixture
def policy(clinic: Clinic) -> ReminderPolicy:
    return set_policy(clinic)


@pytest.fixture
def visit(policy: ReminderPolicy, practitioner: Practitioner, patient: Patient, visit_type: VisitType) -> Appointment:
    """A visit in two hours: of its reminders only the last two are still to come. Nobody has quiet hours."""
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=2)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


@pytest.fixture
def mail_server(settings: Any) -> Iterator[mailserver.MailServer]:
    """A real SMTP server that our mails go to."""
    with mailserver.running() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST = "127.0.0.1"
        settings.EMAIL_PORT = server.port
        settings.EMAIL_TIMEOUT = 5
        yield server


def announce(visit: Appointment, change: str, old_end: datetime | None = None) -> None:
    """What booking does inside the transaction of a change."""
    appointment_changed.send(sender=Appointment, appointment=visit, change=change, principal=None, old_end=old_end)


def move(visit: Appointment, start: datetime) -> None:
    """What booking does when a visit moves."""
    old, old_end = visit.start, visit.end
    visit.start, visit.end = start, start + (visit.end - visit.start)
    visit.revision += 1
    visit.save()
    AppointmentChange.objects.create(
        appointment=visit,
        change="moved",
        revision=visit.revision,
        start=start,
        practitioner=visit.practitioner,
        old_start=old,
        old_practitioner=visit.practitioner,
    )
    announce(visit, "moved", old_end)


def cancel(visit: Appointment) -> None:
    visit.status = Appointment.Status.CANCELLED
    visit.revision += 1
    visit.save()
    announce(visit, "cancelled")


def offer_link(message: Communication) -> str:
    """What the floor that makes offers would make its link with."""
    return f"https://clinic.example/offer/{message.reference}/"


def process_environment(mail_port: int) -> dict[str, str]:
    """For processes of ours that share the test's database, Valkey and mail server."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        host = database["OPTIONS"].get("host") or database["HOST"]
        url = f"postgresql://{database['USER']}@/{database['NAME']}?host={host}"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "telehealth.settings",
        "TELEHEALTH_DATABASE_URL": url,
        "TELEHEALTH_SMTP_URL": f"smtp://127.0.0.1:{mail_port}",
    }
