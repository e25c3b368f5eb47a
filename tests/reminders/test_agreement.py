"""Mails, calendar files, pages and the ledger name the same instant, at every change of clocks from 2025 to 2030."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from django.template.loader import render_to_string
from icalendar import Calendar

from accounts.models import Clinic, Patient, Practitioner
from tests.schedule.test_clock_changes import changes
from visits.booking.models import Appointment
from visits.reminders import letters
from visits.reminders.models import Communication, ReminderPolicy
from visits.reminders.services.planning import reminders
from visits.schedule.models import VisitType
from visits.schedule.moment import Moment

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def visit_at(start: datetime, zone: str, practitioner: Practitioner) -> Appointment:
    """Of a clinic and a patient in that zone; not stored."""
    clinic = Clinic.objects.get(pk=practitioner.clinic_id)
    clinic.time_zone = zone
    patient = Patient(clinic=clinic, given_name="Rosa", family_name="M", email="rosa@example.org", language="en")
    visit_type = VisitType(clinic=clinic, name="", minutes=20)
    practitioner.clinic = clinic
    return Appointment(
        clinic=clinic, practitioner=practitioner, patient=patient, visit_type=visit_type, start=start,
        end=start + timedelta(minutes=20),
    )  # fmt: skip


def on_the_wall(start: datetime, zone: str) -> tuple[str, str]:
    """Day and time as Python's own calendar has them."""
    local = start.astimezone(ZoneInfo(zone))
    return f"{local:%A}, {local:%B} {local.day}", f"{local:%-I:%M} {local:%p}".lower()


def test_all_name_the_same_instant(practitioner: Practitioner, policy: ReminderPolicy) -> None:
    seen = 0
    for (instant, _before, _after), zone in changes().items():
        for start in (instant - timedelta(minutes=40), instant + timedelta(minutes=20)):
            visit = visit_at(start, zone.key, practitioner)
            message = Communication(
                appointment=visit, patient=visit.patient, kind="confirmation", due_at=start, planned_at=start
            )
            mail = letters.compose(message, link="https://clinic.example/v/1", now=start - 3 * DAY)
            day, at = on_the_wall(start, zone.key)
            text, html = str(mail.body), str(mail.alternatives[0][0])
            page = render_to_string("online/_moment.html", {"here": Moment(start, zone.key, "en")})
            for words in (text, html, page):
                assert day in words, (zone.key, start)
                assert at in words.lower(), (zone.key, start)
            [part] = mail.attachments
            content = part[1] if isinstance(part, tuple) else cast(EmailMessage, part).get_payload(decode=True)
            [event] = Calendar.from_ical(content).walk("VEVENT")
            assert event["DTSTART"].dt.astimezone(UTC) == start
            assert event["DTEND"].dt.astimezone(UTC) == visit.end
            local = start.astimezone(zone)
            [due] = [row["due_at"] for row in reminders(visit, start - 9 * DAY) if row["lead"] == 24 * 60][:1]
            the_day_before = datetime.combine(local.date() - DAY, local.time(), tzinfo=zone)  # PEP 495: fold 0
            assert due.astimezone(UTC) == the_day_before.astimezone(UTC), (zone.key, start)
            seen += 1
    assert seen > 300
