"""What patients answer by the links in mails: reading changes nothing, and nobody is signed in."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template import engines
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Patient
from tests.factories import make_proxy
from tests.party import bearer, make_link
from tests.reminders.conftest import announce, move
from visits.booking.models import Appointment
from visits.reminders import links, services
from visits.reminders.models import Communication, Confirmation, ContactPreference, ReminderPolicy
from visits.schedule.models import SchedulePolicy


@pytest.fixture
def message(visit: Appointment, mail_server) -> Communication:
    """The confirmation of a visit in two hours, sent; the clinic wants an hour's notice."""
    SchedulePolicy.objects.create(clinic=visit.clinic, change_notice=1)
    announce(visit, "booked")
    services.send_due()
    return visit.communications.get(kind="confirmation")


def path(message: Communication) -> str:
    return links.to_answer(message).removeprefix("http://localhost")


def answer(message: Communication, word: str):
    return Client().post(path(message), {"answer": word})


def test_the_mail_has_the_link(message, mail_server):
    assert links.to_answer(message) in mail_server.arrived[0].get_body(("plain",)).get_content()


def test_reading_the_page_changes_nothing_and_signs_nobody_in(message):
    client = Client()
    page = client.get(path(message))

    assert page.status_code == 200
    assert "Will you come?" in page.content.decode()
    for word in ("Marín", "Follow-up"):
        assert word not in page.content.decode()
    assert not Confirmation.objects.exists()
    assert "session" not in client.cookies
    assert client.get(f"/my/{message.appointment_id}/").status_code != 200


@pytest.mark.parametrize(("zone", "there"), [("America/New_York", True), ("America/Winnipeg", False), ("", False)])
def test_the_page_says_the_patients_time_where_their_clock_differs(message, zone, there):
    Patient.objects.update(time_zone=zone)
    local = message.visit.start.astimezone(ZoneInfo("America/New_York"))

    assert (f"{local:%-I:%M}" in Client().get(path(message)).content.decode()) == there


def test_one_press_confirms_and_two_confirm_once(message):
    assert answer(message, "confirm").status_code == 302
    answer(message, "confirm")

    assert services.is_confirmed(message.visit)
    assert Confirmation.objects.get().channel == "email"
    assert AuditEvent.objects.filter(subtype="message.answer").count() == 1
    assert "we expect you" in Client().get(path(message)).content.decode()


def test_one_press_cancels(message):
    answer(message, "cancel")

    message.visit.refresh_from_db()
    assert message.visit.status == Appointment.Status.CANCELLED
    assert "Your visit is cancelled" in Client().get(path(message)).content.decode()


@pytest.mark.parametrize(("acts_for", "who"), [(False, "Patient"), (True, "Acts for a patient")])
def test_the_history_says_whose_wish_it_was(message, acts_for, who, front_desk, verified):
    if acts_for:
        message.related_person = make_proxy(message.patient)
        message.save()
    answer(message, "cancel")

    change = message.visit.changes.get(change="cancelled")
    assert (change.by, change.role_label) == (None, who)
    page = verified(front_desk).get(f"/visits/{message.appointment_id}/").content.decode()
    assert f'<span class="quiet">{who}</span>' in page
    assert "Telehealth, by itself" not in page


def test_within_the_notice_only_the_phone_cancels(message):
    SchedulePolicy.objects.update(change_notice=24)

    page = answer(message, "cancel")

    assert page.status_code == 409
    assert "(555) 010-0142" in page.content.decode()
    message.visit.refresh_from_db()
    assert message.visit.status == Appointment.Status.BOOKED


def test_a_message_of_the_old_time_answers_nothing(message):
    move(message.visit, message.visit.start + timedelta(days=1))

    answer(message, "confirm")
    answer(message, "cancel")

    assert not Confirmation.objects.exists()
    assert Appointment.objects.get().status == Appointment.Status.BOOKED
    assert "out of date" in Client().get(path(message)).content.decode()


def test_a_confirmation_is_of_one_time_only(message):
    answer(message, "confirm")
    move(message.visit, message.visit.start + timedelta(days=1))

    assert not services.is_confirmed(Appointment.objects.get())


@pytest.mark.parametrize("token", ["x", "0" * 32, "0" * 32 + ":forged"])
def test_a_forged_link_is_not_known(message, token):
    for where in (f"/m/{token}/", f"/m/stop/{token}/"):
        assert Client().post(where, {"answer": "cancel"}).status_code == 404


def test_a_token_for_one_thing_does_not_do_another(message):
    stop = links.to_stop(message.patient, "email").rstrip("/").rsplit("/", 1)[1]

    assert Client().post(f"/m/{stop}/", {"answer": "cancel"}).status_code == 404


def test_reminders_end_by_one_click_without_cookies(message, visit, mail_server):
    services.send_due(visit.start - timedelta(minutes=10))
    mail = mail_server.arrived[-1]
    stop = mail["List-Unsubscribe"].strip("\r\n <>").removeprefix("http://localhost")
    strict = Client(enforce_csrf_checks=True)

    assert strict.get(stop).status_code == 200
    assert not ContactPreference.objects.exists()
    assert strict.post(stop, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert ContactPreference.objects.get().opted_out_at is not None
    strict.post(stop, {"again": "1"})
    assert ContactPreference.objects.get().opted_out_at is None


def test_what_becomes_of_the_visit_cannot_be_unsubscribed(message, mail_server):
    assert mail_server.arrived[0]["List-Unsubscribe"] is None


def test_the_patients_page_says_what_is_to_come(message, rf):
    page = engines["django"].from_string("{% load reminders %}{% messages_to_come visit %}")
    text = page.render({"visit": message.visit, "principal": bearer(make_link(message.visit))})

    assert text.count("Reminder, 10 minutes before") == 1
    assert "by e-mail" in text


def test_what_goes_out_by_both_ways_at_once_is_said_once(message):
    ReminderPolicy.objects.update_or_create(clinic=message.patient.clinic, defaults={"sms": True})
    message.patient.phone = "+15550100117"
    message.patient.save()
    planned = message.visit.communications.filter(kind="reminder", state="planned").first()
    twin = {"patient": planned.patient, "kind": "reminder", "lead": planned.lead, "due_at": planned.due_at}
    message.visit.communications.create(channel="sms", revision=planned.revision, **twin)

    page = engines["django"].from_string("{% load reminders %}{% messages_to_come visit %}")
    text = page.render({"visit": message.visit, "principal": bearer(make_link(message.visit))})

    assert text.count(planned.label) == 1
    assert "by e-mail and text message" in text


def test_staff_of_another_clinic_settle_nothing(message, stranger, verified):
    Communication.objects.filter(pk=message.pk).update(
        state="unknown", reason="no-answer", sent_at=None, dispatched_at=timezone.now()
    )

    assert verified(stranger).post(f"/messages/{message.pk}/arrived/").status_code == 404
    assert Client().post(f"/messages/{message.pk}/arrived/").status_code in {302, 403}
    assert Communication.objects.get(pk=message.pk).state == "unknown"
