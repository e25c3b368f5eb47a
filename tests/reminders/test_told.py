"""What staff read before they move or cancel a visit is what happens when they do."""

from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone

from accounts.models import Patient
from tests.reminders.conftest import announce, cancel, move, set_policy
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication, ReminderPolicy
from visits.reminders.services import preferences

EMAIL, TEXT = "rosa@example.org", "(512) 555-0119"


def words(visit: Appointment, kind: str) -> str:
    page = Template("{% load reminders %}{% will_be_told visit kind %}")
    visit = Appointment.objects.select_related("patient__clinic").get(pk=visit.pk)
    return " ".join(page.render(Context({"visit": visit, "kind": kind})).split())


def told_by(visit: Appointment, kind: str) -> set[str]:
    """By which channels it goes out, or will."""
    rows = Communication.objects.filter(appointment=visit, kind=kind, state__in=("planned", "sent"))
    return set(rows.values_list("channel", flat=True))


@pytest.fixture
def texts(policy: ReminderPolicy) -> None:
    ReminderPolicy.objects.update(sms=True)


def told(visit: Appointment, **patient: Any) -> Appointment:
    """The visit, of which its patient has had word; reached as ``patient`` says from then on."""
    announce(visit, "booked")
    services.send_due()
    person = Patient.objects.get()
    for name, value in patient.items():
        setattr(person, name, value)
    person.save()
    return Appointment.objects.get(pk=visit.pk)


@pytest.mark.parametrize(
    ("email", "phone", "said", "by"),
    [
        (EMAIL, "", "The patient is told at once by e-mail.", {"email"}),
        ("", TEXT, "The patient is told at once by text message.", {"sms"}),
        (EMAIL, TEXT, "The patient is told at once, by e-mail and by text message.", {"email", "sms"}),
        ("", "", "No message can reach the patient, and there is no phone number.", set()),
    ],
)
@pytest.mark.parametrize("kind", ["reschedule", "cancellation"])
def test_it_names_the_channels_that_are_used(visit, texts, mail_server, kind, email, phone, said, by):
    visit = told(visit, email=email, phone=phone)

    assert words(visit, kind) == said
    cancel(visit) if kind == "cancellation" else move(visit, visit.start + timedelta(days=1))
    assert told_by(visit, kind) == by


def test_who_is_reached_by_text_only_is_to_be_called_where_the_clinic_sends_none(visit, mail_server):
    visit = told(visit, email="", phone=TEXT)

    assert "call them at" in words(visit, "reschedule")
    assert TEXT in words(visit, "reschedule")


def test_who_said_stop_or_has_an_address_that_bounced_is_to_be_called(visit, texts, mail_server):
    visit = told(visit, email=EMAIL, phone=TEXT)
    preferences.opt_out(visit.patient, "sms")
    preferences.note_bounce(visit.patient, "email", EMAIL)

    assert "call them at" in words(visit, "cancellation")


def test_who_never_heard_of_a_visit_does_not_hear_of_its_end(visit):
    announce(visit, "booked")

    assert words(visit, "cancellation") == "No message about this visit has gone out, so none tells of its end."
    cancel(visit)
    assert told_by(visit, "cancellation") == set()


def test_in_quiet_hours_a_text_waits(visit, texts, mail_server):
    visit = told(visit, email=EMAIL, phone=TEXT)
    move(visit, visit.start + timedelta(days=3))
    ReminderPolicy.objects.all().delete()
    hour = timezone.now().astimezone(ZoneInfo(visit.clinic.time_zone)).hour
    set_policy(visit.clinic, sms=True, quiet_from=time((hour - 1) % 24), quiet_until=time((hour + 2) % 24))

    assert words(visit, "reschedule").endswith("A text message follows when the patient’s quiet hours end.")
    Patient.objects.update(email="")
    assert words(visit, "reschedule").startswith("The patient is told by text message, when")
