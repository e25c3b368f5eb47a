"""Text messages: short, in the network's alphabet, by Twilio, and what patients answer to them."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from accounts.contact import e164
from accounts.models import Clinic, Patient
from accounts.proxies.services import terms_of
from tests import factories
from tests.reminders.conftest import announce, cancel, move, set_policy
from tests.threads import at_once
from visits.booking.models import Appointment
from visits.reminders import services, texts
from visits.reminders.channels.twilio import is_signed
from visits.reminders.models import Communication, Confirmation, ContactPreference, InboundMessage
from visits.schedule.models import SchedulePolicy

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason

TOKEN = "0123456789abcdef0123456789abcdef"
PHONE = "+15550100177"
INBOUND = "/messages/sms/twilio/"


class Provider(HTTPServer):
    """As much of Twilio as answers to one POST."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[dict[str, str]] = []
        self.status, self.answer = 201, {"sid": "SM1"}
        self.delay = threading.Event()
        self.is_hanging = False


class _Answer(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append({name: values[0] for name, values in parse_qs(body).items()} | {"path": self.path})
        if self.server.is_hanging:
            self.server.delay.wait(5)
            return
        text = json.dumps(self.server.answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def provider() -> Iterator[Provider]:
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.delay.set()
        server.shutdown()


@pytest.fixture
def twilio(settings: Any) -> Iterator[Provider]:
    with provider() as server:
        settings.SMS_BACKEND = "visits.reminders.channels.twilio.TwilioBackend"
        settings.TWILIO_API = f"http://127.0.0.1:{server.server_port}"
        settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, settings.SMS_FROM = "AC1", TOKEN, "+15550100000"
        yield server


@pytest.fixture
def texted(clinic: Clinic, practitioner: Any, patient: Patient, mail_server: Any) -> Appointment:
    """A visit in three hours, of a clinic that sends text messages and wants an hour's notice."""
    set_policy(clinic, sms=True)
    SchedulePolicy.objects.create(clinic=clinic, change_notice=1)
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(hours=3)
    visit = factories.make_visit(practitioner, patient=patient, start=start)
    announce(visit, "booked")
    visit.communications.filter(channel="email").delete()
    return visit


def text_of(visit: Appointment, kind: str = Kind.CONFIRMATION) -> Communication:
    return visit.communications.get(kind=kind, channel="sms", serial=0)


# --- what they say


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", sorted(Kind.values))
def test_a_text_has_two_segments_at_most_in_the_networks_alphabet(practitioner, clinic, language, kind):
    Clinic.objects.update(name="Clínica de Medicina Familiar y Salud Comunitaria del Río")
    patient = factories.make_patient(clinic, language=language, time_zone="Asia/Kathmandu")
    visit = factories.make_visit(practitioner, patient=patient)
    visit.refresh_from_db()
    start = (visit.start + timedelta(days=1)).isoformat()
    details = {"minutes": 45, "until": start, "practitioner": str(practitioner.pk)}
    if kind == Kind.OFFER:
        details["start"] = start
    lead = 1440 if kind == Kind.REMINDER else 0
    message = Communication(appointment=visit, patient=patient, kind=kind, lead=lead, channel="sms", details=details)

    if kind == Kind.GRANT:
        today = timezone.localdate()
        days = {"valid_from": today + timedelta(days=1), "valid_until": today + timedelta(days=300)}
        message.grant = factories.make_proxy(patient, given_name="Maximiliana", relationship="GRPRN", **days)
        message.details |= terms_of(message.grant) | {"change": "changed", "has_moved": True}
    link = "" if kind == Kind.GRANT else "https://telehealth.example.org/v/" + "x" * 43 + "/"

    text = texts.compose(message, link=link, now=timezone.now())

    assert texts.segments(text) <= 2, text
    assert set(text) <= texts.BASIC | texts.EXTENDED
    assert "Marín" not in text
    assert "Marin" not in text


def test_spanish_accents_that_the_network_lacks_are_dropped():
    assert (
        texts.in_gsm("Mañana a las 10:30 a.\u00a0m., ¿sí? Adiós – José")
        == "Mañana a las 10:30 a. m., ¿si? Adios - José"
    )
    assert texts.segments("a" * 160) == 1
    assert texts.segments("a" * 161) == 2
    assert texts.segments("€" * 81) == 2


@pytest.mark.parametrize(
    ("written", "zone", "number"),
    [
        ("(555) 010-0177", "America/Chicago", PHONE),
        ("+34 612 34 56 78", "America/Chicago", "+34612345678"),
        ("612 34 56 78", "Europe/Madrid", "+34612345678"),
        ("ask at the desk", "America/Chicago", ""),
        ("555 0100", "UTC", ""),
    ],
)
def test_numbers_are_read_as_people_write_them(written, zone, number):
    assert e164(written, zone) == number


# --- how they leave


def test_a_patient_abroad_keeps_the_number_that_the_clinic_wrote_down(texted, twilio):
    """(555) 010-0177 read by a clock in Mexico City is somebody there."""
    Patient.objects.update(time_zone="America/Mexico_City")

    services.send_due()

    assert [asked["To"] for asked in twilio.asked] == [PHONE]


def test_the_demos_provider_is_a_folder(texted, settings, tmp_path):
    settings.SMS_FILE_PATH = tmp_path / "sms"

    assert services.send_due() == 1

    [path] = Path(settings.SMS_FILE_PATH).glob("*.json")
    sent = json.loads(path.read_text())
    assert sent["to"] == PHONE
    assert "Your video visit is booked" in sent["text"]
    assert "Reply C to confirm, X to cancel." in sent["text"]


def test_twilio_gets_the_text_and_where_to_report(texted, twilio):
    assert services.send_due() == 1

    [asked] = twilio.asked
    message = text_of(texted)
    assert asked["path"] == "/2010-04-01/Accounts/AC1/Messages.json"
    assert asked["To"] == PHONE
    assert asked["StatusCallback"] == f"http://localhost/messages/sms/{message.pk}/status/"
    assert (message.state, message.provider_id, message.address) == (State.SENT, "SM1", PHONE)


@pytest.mark.parametrize(
    ("status", "code", "state", "reason"),
    [
        (400, 21610, State.FAILED, Reason.OPTED_OUT),
        (400, 21211, State.FAILED, Reason.REFUSED),
        (400, 21602, State.FAILED, Reason.REFUSED),
        (429, 20429, State.PLANNED, ""),
        (401, 20003, State.PLANNED, ""),
        (500, 0, State.UNKNOWN, Reason.NO_ANSWER),
    ],
)
def test_each_refusal_means_what_it_means(texted, twilio, status, code, state, reason):
    twilio.status, twilio.answer = status, {"code": code}

    assert services.send_due() == 0

    assert (text_of(texted).state, text_of(texted).reason) == (state, reason)
    marked = ContactPreference.objects.filter(patient=texted.patient, channel="sms").first()
    assert (marked is not None) is (code in {21610, 21211})


def test_a_provider_that_never_answers_is_not_asked_twice(texted, twilio, monkeypatch):
    monkeypatch.setattr("visits.reminders.channels.twilio.TIMEOUT", (1, 0.3))
    twilio.is_hanging = True

    assert services.send_due() == 0
    assert (text_of(texted).state, text_of(texted).reason) == (State.UNKNOWN, Reason.NO_ANSWER)
    services.send_due(timezone.now() + timedelta(minutes=30))
    assert len(twilio.asked) == 1


def test_a_provider_that_is_not_there_is_asked_later(texted, twilio, settings):
    settings.TWILIO_API = "http://127.0.0.1:1"

    assert services.send_due() == 0
    assert (text_of(texted).state, text_of(texted).dispatched_at) == (State.PLANNED, None)


# --- what patients answer


def signed(path: str, fields: dict[str, str], token: str = TOKEN) -> Any:
    url = f"http://localhost{path}" + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()).decode()
    return Client().post(path, fields, headers={"X-Twilio-Signature": signature})


def reply(text: str, sid: str = "SMin1", **fields: str) -> str:
    answer = signed(INBOUND, {"MessageSid": sid, "From": PHONE, "Body": text} | fields)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def sent(texted: Appointment, twilio: Provider) -> Appointment:
    services.send_due()
    return texted


def test_the_signature_is_twilios_own_example(settings):
    settings.TWILIO_AUTH_TOKEN = "12345"
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": "+12349013030", "Digits": "1234", "From": "+12349013030",
              "To": "+18005551212"}  # fmt: skip
    assert is_signed("https://mycompany.com/myapp.php?foo=1&bar=2", fields, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")


@pytest.mark.parametrize("word", ["C", "c.", "1", "Yes!", "Sí", "¡SI!", "Confirmar"])
def test_a_word_confirms(sent, word):
    assert "We expect you on" in reply(word)
    assert Confirmation.objects.get().channel == "sms"


def test_an_answer_names_the_patients_clock_too(sent):
    Patient.objects.update(time_zone="Europe/Madrid")

    home = sent.start.astimezone(ZoneInfo("Europe/Madrid"))
    assert f"{home:%-I:%M} {home:%p}".lower() in reply("C")


@pytest.mark.parametrize("word", ["X", "cancel", "Cancelar"])
def test_a_word_cancels(sent, word):
    assert "is cancelled" in reply(word)
    sent.refresh_from_db()
    assert sent.status == Appointment.Status.CANCELLED
    assert sent.changes.get(change="cancelled").role == "patient"


def another(visit: Appointment, **fields: Any) -> Appointment:
    """Another visit of the same patient, in a week, unless ``fields`` say otherwise; they had its confirmation."""
    start = visit.start + timedelta(days=7)
    other = factories.make_visit(visit.practitioner, **{"patient": visit.patient, "start": start} | fields)
    announce(other, "booked")
    other.communications.filter(channel="email").delete()
    services.send_due()
    return other


def as_they_were(*visits: Appointment) -> bool:
    booked = Appointment.objects.filter(pk__in=[visit.pk for visit in visits], status=Appointment.Status.BOOKED)
    return booked.count() == len(visits) and not Confirmation.objects.exists()


@pytest.mark.parametrize("word", ["OK", "X"])
def test_an_answer_is_to_the_last_text_and_never_to_an_older_one(sent, word):
    """Staff cancel a visit of two; what comes back to that text is about no other visit."""
    other = another(sent)
    cancel(other)
    other.communications.filter(channel="email").delete()
    services.send_due()
    assert text_of(other, Kind.CANCELLATION).state == State.SENT

    assert "cannot be answered, so nothing is changed" in reply(word)
    assert as_they_were(sent)


@pytest.mark.parametrize("kind", sorted(set(Kind.values) - {"confirmation", "reschedule", "reminder"}))
@pytest.mark.parametrize("word", ["C", "X"])
def test_a_text_that_asks_for_no_answer_takes_none(sent, kind, word):
    now = timezone.now()
    Communication.objects.create(
        patient=sent.patient,
        appointment=sent,
        kind=kind,
        channel="sms",
        due_at=now,
        state="sent",
        sent_at=now,
        dispatched_at=now,
        address=PHONE,
    )

    assert "cannot be answered, so nothing is changed" in reply(word)
    assert as_they_were(sent)


@pytest.mark.parametrize("what", ["cancelled", "moved", "arrived"])
@pytest.mark.parametrize("word", ["C", "X"])
def test_what_became_of_the_visit_of_the_last_text_is_said_and_no_other_is_touched(sent, what, word):
    other = another(sent)
    if what == "moved":
        move(other, other.start + timedelta(days=1))
    else:
        Appointment.objects.filter(pk=other.pk).update(status=what)

    assert "was changed or has begun, so nothing is changed" in reply(word)
    assert as_they_were(sent)


def test_two_patients_with_one_phone_answer_what_came_last(sent, clinic):
    sibling = factories.make_patient(clinic, given_name="Leo", phone=sent.patient.phone)
    other = another(sent, patient=sibling)

    assert "is cancelled" in reply("X")
    assert as_they_were(sent)
    other.refresh_from_db()
    assert other.status == Appointment.Status.CANCELLED


def test_who_shares_the_phone_may_answer_for_the_one_who_has_the_same_text(sent):
    """Somebody who does not manage the visits had the same word after the patient."""
    proxy = factories.make_proxy(sent.patient, phone=sent.patient.phone, manages=False, joins=True, messages="both")
    services.plan_for_proxy(proxy)
    sent.communications.filter(related_person=proxy, channel="email").delete()
    services.send_due()
    assert sent.communications.get(related_person=proxy, channel="sms", kind=Kind.CONFIRMATION).state == State.SENT

    assert "We expect you on" in reply("C")


def test_a_text_that_never_arrived_is_not_the_one_that_is_answered(sent):
    other = another(sent)
    signed(f"/messages/sms/{text_of(other).pk}/status/", {"MessageStatus": "undelivered", "ErrorCode": "30003"})

    assert "is cancelled" in reply("X")
    assert as_they_were(other)


def test_too_late_to_cancel_by_text(sent):
    SchedulePolicy.objects.update(change_notice=24)

    assert "too late" in reply("X")
    sent.refresh_from_db()
    assert sent.status == Appointment.Status.BOOKED


@pytest.mark.parametrize(("stop", "start"), [("STOP", "START"), ("Alto", "Iniciar")])
def test_stop_ends_all_texts_to_the_number_and_start_brings_them_back(sent, twilio, stop, start):
    reply(stop, "SM1")
    assert ContactPreference.objects.get(channel="sms").opted_out_at is not None
    assert services.send_due(sent.start - timedelta(minutes=10)) == 0
    reply(start, "SM2")
    assert ContactPreference.objects.get(channel="sms").opted_out_at is None


def test_what_the_provider_answered_itself_is_done_and_not_answered_again(sent):
    assert "<Message>" not in reply("CANCEL", OptOutType="STOP")
    assert ContactPreference.objects.get(channel="sms").opted_out_at is not None
    sent.refresh_from_db()
    assert sent.status == Appointment.Status.BOOKED


@pytest.mark.parametrize("word", ["HELP", "Ayuda", "what is this?"])
def test_anything_else_is_answered_with_what_can_be_said(sent, word):
    assert "Reply C to confirm" in reply(word)


def test_answers_are_in_the_patients_language(sent):
    Patient.objects.update(language="es")

    assert "gracias" in reply("C").lower()


def test_the_same_message_counts_once(sent):
    reply("X", "SM9")
    again = reply("X", "SM9")

    assert "<Message>" not in again
    assert InboundMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_copies_at_once_count_once(sent):
    answers = at_once([lambda: reply("C", "SM9")] * 20)

    assert sum("<Message>" in answer for answer in answers) == 1
    assert Confirmation.objects.count() == InboundMessage.objects.count() == 1


def test_a_forged_message_does_nothing(sent):
    fields = {"MessageSid": "SM1", "From": PHONE, "Body": "X"}
    assert signed(INBOUND, fields, token="another").status_code == 403
    assert Client().post(INBOUND, fields).status_code == 403
    assert Client().get(INBOUND).status_code == 405
    sent.refresh_from_db()
    assert sent.status == Appointment.Status.BOOKED


def test_without_a_provider_nobody_is_believed(sent, settings):
    settings.TWILIO_AUTH_TOKEN = ""

    assert signed(INBOUND, {"MessageSid": "SM1", "From": PHONE, "Body": "X"}, token="").status_code == 403


def test_a_number_that_we_never_wrote_to_is_not_answered(sent):
    assert "<Message>" not in reply("X", From="+15550100999")


def test_reports_settle_and_mark(sent):
    message = text_of(sent)
    Communication.objects.filter(pk=message.pk).update(state="unknown", reason="no-answer", sent_at=None)
    path = f"/messages/sms/{message.pk}/status/"

    assert signed(path, {"MessageStatus": "delivered"}).status_code == 204
    assert text_of(sent).state == State.SENT
    for _ in range(2):
        signed(path, {"MessageStatus": "undelivered", "ErrorCode": "30005"})
    assert (text_of(sent).state, text_of(sent).reason) == (State.FAILED, Reason.BOUNCED)
    assert ContactPreference.objects.get(channel="sms").bounced_address == PHONE
    assert Client().post(path, {"MessageStatus": "failed"}).status_code == 403


def test_a_text_that_is_too_long_is_refused_and_a_strange_one_is_answered_as_any(sent):
    assert signed(INBOUND, {"MessageSid": "SM2", "From": PHONE, "Body": "x" * 2_000_000}).status_code == 400
    for number, text in enumerate(["\0", "👍" * 400, "</Message><Message>", "C" * 5000, ""]):
        answer = reply(text, f"SMx{number}")
        assert answer.count("<Message>") == 1
        assert "Reply C to confirm" in answer
    sent.refresh_from_db()
    assert sent.status == Appointment.Status.BOOKED


def test_a_signature_is_for_its_own_fields_and_address(sent):
    """Who saw one signed report cannot say something else with it."""
    fields = {"MessageStatus": "undelivered", "ErrorCode": "30005"}
    path = f"/messages/sms/{text_of(sent).pk}/status/"
    signature = signed(path, fields).wsgi_request.headers["X-Twilio-Signature"]
    ContactPreference.objects.all().delete()

    for where, what in [(INBOUND, fields), (f"{path}?x=1", fields), (path, fields | {"ErrorCode": "30006"})]:
        assert Client().post(where, what, headers={"X-Twilio-Signature": signature}).status_code == 403
    assert not ContactPreference.objects.exists()
