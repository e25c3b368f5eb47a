"""Visits that are booked together are confirmed by one message, which names them all."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from icalendar import Calendar

from accounts.models import Clinic, Patient
from tests import factories
from tests.conftest import staff
from tests.reminders.conftest import announce, cancel, move
from tests.threads import at_once
from visits.booking import services as booking
from visits.booking.models import Appointment, AppointmentSeries
from visits.reminders import services, texts
from visits.reminders.channels.email import EmailChannel
from visits.reminders.models import Communication
from visits.reminders.services import reports
from visits.reminders.services.planning import was_told

pytestmark = pytest.mark.django_db

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason
WEEK = timedelta(weeks=1)


@pytest.fixture
def series(policy: Any, practitioner: Any, patient: Patient, visit_type: Any) -> list[Appointment]:
    """Three weekly visits, just booked."""
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(days=10)
    together = AppointmentSeries.objects.create(clinic=practitioner.clinic, weeks=1, count=3)
    visits = [
        factories.make_visit(
            practitioner, patient=patient, visit_type=visit_type, series=together, start=start + n * WEEK
        )
        for n in range(3)
    ]
    for visit in visits:
        announce(visit, "booked")
    return visits


def confirmations(visits: list[Appointment], **which: Any) -> list[tuple[str, str]]:
    """State and reason of each visit's confirmation, in order."""
    rows = Communication.objects.filter(kind=Kind.CONFIRMATION, serial=0, **{"channel": "email"} | which)
    return [rows.values_list("state", "reason").get(appointment=visit) for visit in visits]


def test_one_mail_confirms_all_and_brings_each_into_the_calendar(series, mailoutbox):
    assert services.send_due() == 1

    (mail,) = mailoutbox
    assert mail.subject.startswith("Your 3 video visits are booked, the first on ")
    html = mail.alternatives[0].content
    for visit in series[1:]:
        day = visit.start.astimezone(ZoneInfo("America/Chicago"))
        assert f"{day:%b} {day.day}, " in mail.body
        assert f"{day:%b} {day.day}, " in html
    uids = [
        str(event["uid"]).partition("@")[0]
        for part in mail.attachments
        for event in Calendar.from_ical(part.get_payload(decode=True)).walk("VEVENT")
    ]
    assert uids == [str(visit.pk) for visit in series]
    assert confirmations(series) == [(State.SENT, ""), *[(State.SUPPRESSED, Reason.IN_SERIES)] * 2]


def test_who_was_told_by_it_hears_what_becomes_of_the_others(series, mailoutbox):
    services.send_due()
    cancel(series[1])
    move(series[2], series[2].start + timedelta(hours=1))
    services.send_due()

    assert [mail.subject.partition(" on ")[0].partition(":")[0] for mail in mailoutbox[1:]] == [
        "Your visit",
        "Your visit has a new time",
    ]
    assert "is cancelled" in mailoutbox[1].subject


def test_visits_that_are_cancelled_together_are_cancelled_by_one_message(series, front_desk, mailoutbox):
    services.send_due()
    booking.cancel_following(principal=staff(front_desk), visit=series[1])
    services.send_due()

    assert len(mailoutbox) == 2
    mail = mailoutbox[1]
    assert mail.subject.startswith("Your 2 visits are cancelled, the first on ")
    assert "these visits will not take place" in mail.body
    events = [Calendar.from_ical(part.get_payload(decode=True)) for part in mail.attachments]
    assert [event["method"] for event in events] == ["CANCEL", "CANCEL"]
    series[0].refresh_from_db()
    assert series[0].status == Appointment.Status.BOOKED


def test_when_the_first_is_cancelled_before_it_is_told_the_second_names_the_rest(series, mailoutbox):
    cancel(series[0])
    services.send_due()

    assert [mail.subject.partition(",")[0] for mail in mailoutbox] == ["Your 2 video visits are booked"]
    assert confirmations(series[1:]) == [(State.SENT, ""), (State.SUPPRESSED, Reason.IN_SERIES)]


def test_the_others_wait_while_the_first_is_being_sent(series, mailoutbox):
    first = Communication.objects.filter(appointment=series[0], kind=Kind.CONFIRMATION)
    first.update(state=State.CLAIMED, claimed_at=timezone.now())
    assert services.send_due() == 0

    first.update(state=State.PLANNED, claimed_at=None)
    assert services.send_due(timezone.now() + timedelta(minutes=1)) == 1
    assert len(mailoutbox) == 1


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_send_one(series, mailoutbox):
    assert sum(at_once([services.send_due] * 4)) == 1
    services.send_due(timezone.now() + timedelta(minutes=1))

    assert len(mailoutbox) == 1
    assert confirmations(series) == [(State.SENT, ""), *[(State.SUPPRESSED, Reason.IN_SERIES)] * 2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["written", "handed over"])
@pytest.mark.parametrize("change", [cancel, lambda visit: move(visit, visit.start + timedelta(hours=1))])
def test_who_was_named_while_it_was_sent_hears_what_became_of_it(series, mailoutbox, monkeypatch, when, change):
    """A visit changes after the message that names it was written, or while the provider takes it."""
    send = EmailChannel.send

    def send_meanwhile(self: Any, message: Any, *, now: Any, handing_over: Any) -> str:
        def hand_over() -> None:
            if when == "written":
                change(series[2])
            handing_over()
            if when == "handed over":
                change(series[2])

        monkeypatch.setattr(EmailChannel, "send", send)
        return send(self, message, now=now, handing_over=hand_over)

    monkeypatch.setattr(EmailChannel, "send", send_meanwhile)
    services.send_due()
    services.send_due(timezone.now() + timedelta(minutes=2))

    said = [mail.subject for mail in mailoutbox]
    if when == "handed over":
        assert said[0].startswith("Your 3 video visits are booked")
        assert said[1].startswith("Your visit ")
        assert "cancelled" in said[1] or "new time" in said[1]
        assert len(said) == 2
    else:
        series[2].refresh_from_db()
        assert len(said) == 1, "written anew, as it is now"
        assert said[0].startswith(f"Your {2 if series[2].status == Appointment.Status.CANCELLED else 3} video visits")


def test_what_never_arrived_leaves_the_others_to_their_own(series, mailoutbox):
    Communication.objects.filter(appointment=series[0], kind=Kind.CONFIRMATION).update(
        state=State.FAILED, reason=Reason.UNREACHABLE
    )

    services.send_due()

    assert confirmations(series)[1:] == [(State.SENT, ""), (State.SUPPRESSED, Reason.IN_SERIES)]


def test_a_visit_that_moved_before_it_was_told_is_told_as_it_is(series, mailoutbox):
    move(series[1], series[1].start + timedelta(hours=1))
    services.send_due()

    (mail,) = mailoutbox
    assert mail.subject.startswith("Your 3 video visits are booked")
    assert confirmations(series[1:2], revision=1) == [(State.SUPPRESSED, Reason.IN_SERIES)]


def test_who_acts_for_the_patient_gets_one_too(series, mailoutbox):
    proxy = factories.make_proxy(series[0].patient)
    services.plan_for_proxy(proxy)

    assert services.send_due() == 2
    assert sorted(mail.to[0] for mail in mailoutbox) == sorted([proxy.email, series[0].patient.email])


def test_sent_again_it_names_them_again(series, front_desk, mailoutbox):
    services.send_due()
    sent = Communication.objects.get(appointment=series[0], kind=Kind.CONFIRMATION, serial=0)
    services.resend(principal=staff(front_desk), communication=sent)
    services.send_due()

    assert mailoutbox[1].subject == mailoutbox[0].subject


@pytest.mark.parametrize("is_address", [True, False])
def test_what_bounces_told_of_none_of_them(series, mailoutbox, is_address):
    services.send_due()
    sent = Communication.objects.get(appointment=series[0], kind=Kind.CONFIRMATION, serial=0)

    reports.failed(sent, is_address=is_address)
    reports.failed(sent, is_address=is_address)

    reason = Reason.BOUNCED if is_address else Reason.REFUSED
    assert confirmations(series) == [(State.FAILED, reason)] * 3
    assert not any(was_told(visit) for visit in series)
    mailoutbox.clear()
    cancel(series[1])
    move(series[2], series[2].start + timedelta(hours=1))
    services.send_due()
    assert not Communication.objects.filter(kind__in=[Kind.CANCELLATION, Kind.RESCHEDULE]).exists()
    words = ["Your video visit is booked"] * (not is_address)
    assert [mail.subject.partition(" for ")[0] for mail in mailoutbox] == words, "as if they heard of it first"


def test_sent_again_after_it_bounced_it_tells_of_all_again(series, front_desk, mailoutbox):
    services.send_due()
    sent = Communication.objects.get(appointment=series[0], kind=Kind.CONFIRMATION, serial=0)
    reports.failed(sent, is_address=False)
    sent.refresh_from_db()

    services.resend(principal=staff(front_desk), communication=sent)
    services.send_due()

    assert confirmations(series)[1:] == [(State.SUPPRESSED, Reason.IN_SERIES)] * 2
    assert all(was_told(visit) for visit in series)
    cancel(series[1])
    assert Communication.objects.filter(appointment=series[1], kind=Kind.CANCELLATION).exists()


def test_of_two_that_name_them_one_that_bounces_leaves_them_told(series, front_desk, mailoutbox):
    services.send_due()
    first = Communication.objects.get(appointment=series[0], kind=Kind.CONFIRMATION, serial=0)
    services.resend(principal=staff(front_desk), communication=first)
    services.send_due()

    reports.failed(first, is_address=False)

    assert confirmations(series)[1:] == [(State.SUPPRESSED, Reason.IN_SERIES)] * 2
    assert all(was_told(visit) for visit in series)


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_text_names_how_many_and_the_first(series, language):
    Patient.objects.update(language=language, time_zone="Asia/Kathmandu")
    Clinic.objects.update(name="Clínica de Medicina Familiar y Salud Comunitaria del Río")
    message = Communication.objects.get(appointment=series[0], kind=Kind.CONFIRMATION)
    message.details["named"] = [[str(visit.pk), 0] for visit in series[1:]]

    text = texts.compose(message, link="https://telehealth.example.org/v/" + "x" * 43 + "/", now=timezone.now())

    assert " 3 " in text
    assert texts.segments(text) <= 2
