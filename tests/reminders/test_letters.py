"""What a mail says: in the patient's language, true at the moment of sending, and nothing clinical."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from icalendar import Calendar

from accounts.models import Clinic, Patient, Practitioner
from tests import factories
from tests.reminders.conftest import announce, cancel
from tests.reminders.mailserver import MailServer
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication, ReminderPolicy
from visits.schedule.moment import Moment

START = datetime(2099, 11, 24, 16, 30, tzinfo=UTC)  # a Tuesday, 10:30 am in Chicago, 11:30 am in New York


@pytest.fixture
def far(policy: ReminderPolicy, practitioner: Practitioner, clinic: Clinic) -> Appointment:
    policy.lead_times.exclude(minutes__in=[1440, 10]).delete()
    visit_type = factories.make_visit_type(clinic, name="Depression follow-up", minutes=20)
    patient = factories.make_patient(
        clinic, given_name="Rosa", family_name="Marín", email="rosa@example.org", time_zone="America/New_York"
    )
    visit = factories.make_visit(practitioner, start=START, patient=patient, visit_type=visit_type)
    announce(visit, "booked")
    visit.communications.filter(kind="form-missing").delete()
    return visit


def first(server: MailServer, now: datetime | None = None) -> EmailMessage:
    before = len(server.arrived)
    services.send_due(now)
    assert len(server.arrived) == before + 1
    return server.arrived[-1]


def body(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


def ics(mail: EmailMessage) -> tuple[EmailMessage, Calendar]:
    [part] = list(mail.iter_attachments())
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return part, Calendar.from_ical(content.decode())  # type: ignore[return-value]


def test_a_confirmation_says_when_in_both_zones_and_with_whom(far, mail_server):
    mail = first(mail_server)

    assert mail["Subject"] == "Your video visit is booked for Tue, Nov 24, 10:30 am CT"
    assert mail["From"] == "Riverside Family Clinic <no-reply@localhost>"
    for subtype in ("plain", "html"):
        text = body(mail, subtype)
        assert "Hello Rosa" in text
        assert "Tuesday, November 24" in text
        assert "10:30 am Central Time (CT)" in text
        assert "11:30 am where you are (Eastern Time, ET)" in text
        assert "20 minutes with Dr. Amara Okafor" in text
        assert "http://localhost/v/" in text
        assert "(555) 010-0142" in text


def test_one_zone_is_named_once_when_clocks_agree(far, mail_server):
    Patient.objects.update(time_zone="America/Chicago")

    assert "where you are" not in body(first(mail_server), "plain")


def test_nothing_clinical_and_no_last_name_leaves_the_clinic(far, mail_server):
    services.send_due()
    services.send_due(START - timedelta(days=1))
    services.send_due(START - timedelta(minutes=10))
    cancel(far)
    services.send_due(START - timedelta(minutes=5))

    assert len(mail_server.arrived) == 4
    for mail in mail_server.arrived:
        whole = str(mail["Subject"]) + body(mail, "plain") + body(mail, "html")
        for part in mail.iter_attachments():
            whole += part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for word in ("Depression", "Follow-up", "follow-up", "Marín", "1979", "Family medicine"):
            assert word not in whole


def test_the_link_is_in_the_body_only(far, mail_server):
    mail = first(mail_server)
    part, _ = ics(mail)

    assert "/v/" not in mail["Subject"]
    assert b"/v/" not in part.get_payload(decode=True)  # type: ignore[operator]
    assert body(mail, "plain").count("/v/") == body(mail, "html").count("/v/") == 1


def test_names_are_escaped_in_html_and_not_in_text(far, mail_server):
    Clinic.objects.update(name="Ear, Nose & Throat <North>")

    mail = first(mail_server)

    assert "Ear, Nose & Throat <North>" in body(mail, "plain")
    assert "Ear, Nose &amp; Throat &lt;North&gt;" in body(mail, "html")


def test_a_mail_in_spanish_has_spanish_dates(far, mail_server):
    Patient.objects.update(language="es")

    mail = first(mail_server)

    assert mail["Content-Language"] == "es"
    assert '<html lang="es">' in body(mail, "html")
    assert "martes 24 de noviembre" in body(mail, "plain")
    assert "10:30\u00a0a.\u00a0m. hora central (CT)" in body(mail, "plain")


@pytest.mark.parametrize(
    ("before", "subject"),
    [
        (timedelta(hours=24), "Your video visit is tomorrow, 10:30 am CT"),
        (timedelta(hours=10), "Your video visit is today, 10:30 am CT"),
        (timedelta(hours=11), "Your video visit is today, 10:30 am CT"),  # half past midnight in New York
        (timedelta(hours=12), "Your video visit is tomorrow, 10:30 am CT"),
    ],
)
def test_a_late_reminder_says_what_is_true_now(far, mail_server, before, subject):
    services.send_due()

    assert first(mail_server, START - before)["Subject"] == subject


@pytest.mark.parametrize(
    ("zone", "before", "subject"),
    [
        ("Asia/Tokyo", 17, "Your video visit is tomorrow, Tue, Nov 24, 10:30 am CT"),
        ("Asia/Tokyo", 1, "Your video visit is today, Tue, Nov 24, 10:30 am CT"),
        ("Pacific/Honolulu", 10, "Your video visit is tomorrow, 10:30 am CT"),
    ],
)
def test_today_and_tomorrow_are_the_patients_not_the_clinics(far, mail_server, zone, before, subject):
    """The visit is at 1:30 on Wednesday in Tokyo, and at 6:30 on Tuesday in Honolulu."""
    services.send_due()
    Patient.objects.update(time_zone=zone)

    assert first(mail_server, START - timedelta(hours=before))["Subject"] == subject


def test_the_last_reminder_counts_the_minutes_that_are_left(far, mail_server):
    services.send_due()
    services.send_due(START - timedelta(days=1))

    assert first(mail_server, START - timedelta(minutes=7))["Subject"] == (
        "Your video visit starts in 7 minutes, 10:30 am CT"
    )


def test_an_invitation_is_one_that_calendars_take(far, mail_server):
    part, calendar = ics(first(mail_server))
    [event] = calendar.walk("VEVENT")

    assert part.get_content_type() == "text/calendar"
    assert part.get_param("method") == "REQUEST" == str(calendar["METHOD"])
    assert part.get_filename() == "visit.ics"
    assert str(event["UID"]) == f"{far.pk}@localhost"
    assert event["SEQUENCE"] == 0
    assert event["DTSTART"].dt == START
    assert event["DTEND"].dt == START + timedelta(minutes=20)
    assert event["DTSTAMP"].dt.utcoffset() == timedelta(0)
    assert str(event["ORGANIZER"]) == "mailto:no-reply@localhost"
    assert str(event["ATTENDEE"]) == "mailto:rosa@example.org"
    assert str(event["SUMMARY"]) == "Video visit, Riverside Family Clinic"
    raw = part.get_payload(decode=True)
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))  # type: ignore[union-attr, arg-type]
    assert b"\n" not in raw.replace(b"\r\n", b"")  # type: ignore[union-attr, operator]


def test_a_cancellation_takes_the_same_event_out_of_the_calendar(far, mail_server):
    _, invitation = ics(first(mail_server))
    cancel(far)
    mail = first(mail_server)
    part, calendar = ics(mail)
    [event] = calendar.walk("VEVENT")
    [invited] = invitation.walk("VEVENT")

    assert mail["Subject"] == "Your visit on Tue, Nov 24 is cancelled"
    assert part.get_param("method") == "CANCEL" == str(calendar["METHOD"])
    assert event["UID"] == invited["UID"]
    assert event["SEQUENCE"] > invited["SEQUENCE"]
    assert str(event["STATUS"]) == "CANCELLED"


def test_a_repeated_attempt_is_the_same_mail_for_a_mail_program(far, mail_server):
    mail_server.answers["RCPT"] = "451 later"
    services.send_due()
    mail_server.answers.clear()
    message = Communication.objects.get(kind="confirmation")

    assert first(mail_server, message.due_at)["Message-ID"] == f"<{message.pk}@localhost>"


@pytest.mark.parametrize(
    ("zone", "language", "expected"),
    [
        ("America/Chicago", "en", ("10:30 am", "Central Time", "CT")),
        ("America/Phoenix", "en", ("9:30 am", "Mountain Time", "MT")),
        ("Europe/Madrid", "en", ("5:30 pm", "Central European Time", "CET")),
        ("Asia/Kolkata", "en", ("10:00 pm", "India Time", "IST")),
        ("UTC", "en", ("4:30 pm", "UTC", "UTC")),
        ("Etc/UTC", "es", ("4:30\u00a0p.\u00a0m.", "UTC", "UTC")),
        ("Etc/GMT+5", "en", ("11:30 am", "GMT-05:00", "-05")),
        ("America/Chicago", "es", ("10:30\u00a0a.\u00a0m.", "hora central", "CT")),
    ],
)
def test_a_moment_is_named_as_people_there_name_it(zone: str, language: str, expected: Any):
    moment = Moment(datetime(2026, 11, 24, 16, 30, tzinfo=UTC), zone, language)

    assert (moment.time, moment.zone_name, moment.zone_code) == expected


def test_a_phone_visit_has_a_link_to_its_own_page_and_nothing_to_test(far, mail_server):
    Appointment.objects.update(mode="phone")

    mail = first(mail_server)

    for subtype in ("plain", "html"):
        text = body(mail, subtype)
        assert text.count("http://localhost/v/") == 1
        assert "See or change your visit" in text
        assert "We call you at the number that we have of you." in text
        for word in ("camera", "Get ready", "Nothing to install"):
            assert word not in text
