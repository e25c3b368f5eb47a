import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Patient, Practitioner
from tests import factories
from tests.reminders import mailserver
from visits.booking.models import Appointment
from visits.booking.signals import appointment_changed
from visits.schedule.models import VisitType


@pytest.fixture
def visit(practitioner: Practitioner, patient: Patient, visit_type: VisitType) -> Appointment:
    """A visit in two hours: of its reminders only the last one is still to come."""
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


def announce(visit: Appointment, change: str) -> None:
    """What booking does inside the transaction of a change."""
    appointment_changed.send(sender=Appointment, appointment=visit, change=change, principal=None)


def cancel(visit: Appointment) -> None:
    visit.status = Appointment.Status.CANCELLED
    visit.revision += 1
    visit.save()
    announce(visit, "cancelled")


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
