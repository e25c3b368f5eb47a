"""What mail servers and providers say about addresses."""

import base64
import json
from datetime import timedelta

import pytest
from anymail.signals import AnymailTrackingEvent, tracking
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import AuditEvent, Patient
from telehealth.env import mail_provider_settings
from tests import factories
from tests.reminders.conftest import announce
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.channels.base import Unsure
from visits.reminders.models import Communication, ContactPreference
from visits.reminders.services.delivery import CHANNELS
from visits.reminders.webhooks import mail_events

State = Communication.State
Reason = Communication.Reason


@pytest.fixture
def sent(visit: Appointment, mail_server) -> Communication:
    announce(visit, "booked")
    services.send_due()
    return visit.communications.get(kind="confirmation")


def report(kind: str, message: Communication, **fields: object) -> None:
    event = AnymailTrackingEvent(event_type=kind, metadata={"message": str(message.pk)}, **fields)
    tracking.send(sender=None, event=event, esp_name="Test")


@pytest.mark.parametrize(
    ("answer", "is_marked"),
    [
        ("550 5.1.1 no such person", True),
        ("550 no such person", True),
        ("550 5.7.1 we do not like your mails", False),
        ("552 5.2.2 mailbox full", False),
    ],
)
def test_a_server_that_knows_nobody_there_marks_the_address(visit, mail_server, answer, is_marked):
    mail_server.answers["RCPT"] = answer
    announce(visit, "booked")
    services.send_due()

    assert any(one.bounced_address == "rosa@example.org" for one in ContactPreference.objects.all()) is is_marked


def test_nothing_more_goes_to_an_address_that_bounced_until_there_is_another(sent, visit, mail_server):
    report("bounced", sent, reject_reason="bounced")

    sent.refresh_from_db()
    assert (sent.state, sent.reason) == (State.FAILED, Reason.BOUNCED)
    assert services.send_due(visit.start - timedelta(hours=1)) == 0
    assert visit.communications.get(lead=60).reason == Reason.BOUNCED
    patient = Patient.objects.get()
    patient.email = "new@example.org"
    patient.save()
    assert services.send_due(visit.start - timedelta(minutes=10)) == 1


def test_a_complaint_ends_reminders(sent):
    for _ in range(2):
        report("complained", sent)

    assert ContactPreference.objects.get().opted_out_at is not None
    assert ContactPreference.objects.get().bounced_at is None


@pytest.mark.parametrize(("kind", "reason"), [("bounced", Reason.BOUNCED), ("complained", Reason.OPTED_OUT)])
def test_what_is_reported_of_who_acts_for_a_patient_is_noted_on_them_alone(visit, mail_server, kind, reason):
    proxy = factories.make_proxy(visit.patient, email="ana@example.org")
    announce(visit, "booked")
    services.send_due()
    report(kind, visit.communications.get(kind="confirmation", related_person=proxy), reject_reason="bounced")
    services.send_due(visit.start - timedelta(minutes=59))

    known = ContactPreference.objects.get()
    assert (known.patient, known.related_person) == (visit.patient, proxy)
    reminders = visit.communications.filter(lead=60, channel="email")
    assert reminders.get(related_person=proxy).reason == reason
    assert reminders.get(related_person=None).state == State.SENT


def test_an_arrival_settles_what_was_unknown(sent):
    Communication.objects.filter(pk=sent.pk).update(state="unknown", reason="no-answer", sent_at=None)
    report("delivered", sent)

    sent.refresh_from_db()
    assert sent.state == State.SENT


@pytest.mark.parametrize("answer", ["taken", "silence"])
@pytest.mark.parametrize(
    ("kind", "state", "reason"), [("delivered", State.SENT, ""), ("bounced", State.FAILED, Reason.BOUNCED)]
)
def test_a_report_that_comes_before_the_providers_answer_counts(
    visit, monkeypatch, caplog, answer, kind, state, reason
):
    def send(message, *, now, handing_over):
        handing_over()
        report(kind, message, reject_reason="bounced")
        if answer == "silence":
            raise Unsure
        return "id-of-the-provider"

    monkeypatch.setattr(CHANNELS["email"], "send", send)
    announce(visit, "booked")
    services.send_due()

    row = visit.communications.get(kind="confirmation")
    assert (row.state, row.reason, row.sent_at is not None) == (state, reason, state == State.SENT)
    assert row.provider_id == ("id-of-the-provider" if answer == "taken" else "")
    event = AuditEvent.objects.get(subtype="message.send")
    assert event.outcome == ("0" if state == State.SENT else AuditEvent.Outcome.SERIOUS_FAILURE)
    assert "took longer" not in caplog.text
    report("delivered", row)
    services.send_due(timezone.now() + timedelta(minutes=30))
    row.refresh_from_db()
    assert row.state == state


def test_reports_of_what_is_not_ours_do_nothing(sent):
    event = AnymailTrackingEvent(event_type="bounced", metadata={}, message_id="other", reject_reason="bounced")
    tracking.send(sender=None, event=event, esp_name="Test")

    assert not ContactPreference.objects.exists()


def test_a_providers_settings_are_read_and_its_reports_have_a_view(monkeypatch):
    monkeypatch.setenv("TELEHEALTH_MAIL_PROVIDER_SETTINGS", '{"POSTMARK_SERVER_TOKEN": "x"}')
    monkeypatch.setenv("TELEHEALTH_MAIL_WEBHOOK_SECRET", "kq3Zt9Lw7Xb2Vn5Rm8Yc1Pd4")

    found = mail_provider_settings("postmark")

    assert found["EMAIL_BACKEND"] == "anymail.backends.postmark.EmailBackend"
    assert found["MAIL_WEBHOOKS"] is True
    assert found["ANYMAIL"]["POSTMARK_SERVER_TOKEN"] == "x"
    assert mail_events("postmark").door == "public"
    with pytest.raises(LookupError):
        mail_events("nobody")


@pytest.mark.parametrize(("provider", "keys"), [("nobody", "{}"), ("postmark", "[]"), ("postmark", ""), ("base", "{}")])
def test_a_provider_that_is_none_stops_the_start(monkeypatch, provider, keys):
    monkeypatch.setenv("TELEHEALTH_MAIL_PROVIDER_SETTINGS", keys)

    with pytest.raises(ImproperlyConfigured):
        mail_provider_settings(provider)


def test_a_provider_that_may_have_taken_it_leaves_it_to_a_person(visit, settings, monkeypatch):
    """django-anymail over HTTP: a server that hangs after it got the mail."""
    from tests.reminders.test_sms import provider

    with provider() as server:
        server.is_hanging = True
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "x",
            "POSTMARK_API_URL": f"http://127.0.0.1:{server.server_port}/",
            "REQUESTS_TIMEOUT": (1, 0.3),
        }
        announce(visit, "booked")
        assert services.send_due() == 0
        message = visit.communications.get(kind="confirmation")
        assert (message.state, message.reason) == (State.UNKNOWN, Reason.NO_ANSWER)
        settings.ANYMAIL = settings.ANYMAIL | {"POSTMARK_API_URL": "http://127.0.0.1:1/"}
        Communication.objects.filter(pk=message.pk).update(
            state="planned", reason="", dispatched_at=None, due_at=timezone.now()
        )
        assert services.send_due() == 0
        message.refresh_from_db()
        assert (message.state, message.reason) == (State.PLANNED, "")


# --- the provider's reports over HTTP


def deliver_report(
    sent: Communication, password: str = "", body: bytes | None = None, **fields: object
) -> HttpResponse:
    """Post what Postmark reports to django-anymail's view, as we serve it."""
    event = {"RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1, "ID": 4, "Email": "rosa@example.org"}
    event |= {"MessageID": "x", "BouncedAt": "2026-11-28T10:00:00Z", "Metadata": {"message": str(sent.pk)}, **fields}
    basic = base64.b64encode(f"telehealth:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"} if password else {}
    request = RequestFactory().post(
        "/messages/mail/events/", body or json.dumps(event).encode(), content_type="application/json", headers=headers
    )
    try:
        return mail_events("postmark")(request)
    except SuspiciousOperation:
        return HttpResponse(status=400)  # as Django answers


@pytest.fixture
def secret(settings) -> str:
    settings.ANYMAIL = {"WEBHOOK_SECRET": "telehealth:kq3Zt9Lw7Xb2Vn5Rm8Yc1Pd4"}
    return "kq3Zt9Lw7Xb2Vn5Rm8Yc1Pd4"


@pytest.mark.parametrize("password", ["", "wrong", "kq3Zt9Lw7Xb2Vn5Rm8Yc1Pd"])
def test_a_report_without_the_secret_is_not_believed(sent, secret, password):
    assert deliver_report(sent, password).status_code == 400

    sent.refresh_from_db()
    assert sent.state == State.SENT
    assert not ContactPreference.objects.exists()


def test_the_same_report_twice_counts_once(sent, secret):
    for _ in range(2):
        assert deliver_report(sent, secret).status_code == 200

    sent.refresh_from_db()
    assert (sent.state, sent.reason) == (State.FAILED, Reason.BOUNCED)
    assert ContactPreference.objects.count() == 1
    assert AuditEvent.objects.filter(subtype="message.bounce").count() == 1


@pytest.mark.parametrize("message", ["", "\0", "x" * 5000, "00000000-0000-0000-0000-000000000007"])
def test_a_report_of_no_message_of_ours_does_nothing(sent, secret, message):
    assert deliver_report(sent, secret, Metadata={"message": message}).status_code == 200

    assert not ContactPreference.objects.exists()


def test_a_report_that_is_too_long_is_not_read(sent, secret):
    assert deliver_report(sent, secret, body=b"[" * 2_000_000).status_code == 400
