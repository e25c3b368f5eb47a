"""What really goes out: over SMTP, once, and only while it is true."""

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent
from tests import factories
from tests.reminders.conftest import announce, cancel, process_environment
from tests.reminders.mailserver import MailServer
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason


def row(visit: Appointment, kind: str = Kind.CONFIRMATION) -> Communication:
    return visit.communications.get(kind=kind)


@pytest.fixture
def booked(visit: Appointment) -> Appointment:
    announce(visit, "booked")
    return visit


def test_a_due_message_is_sent_once(booked, mail_server):
    assert services.send_due() == 1
    assert services.send_due() == 0

    [mail] = mail_server.arrived
    assert mail["To"] == "rosa@example.org"
    message = row(booked)
    assert message.state == State.SENT
    assert message.sent_at is not None
    assert message.attempts == 1


def test_what_is_not_due_waits_and_then_goes(booked, mail_server):
    services.send_due()
    soon = booked.start - timedelta(minutes=10)

    assert services.send_due(soon - timedelta(seconds=1)) == 0
    assert services.send_due(soon) == 1
    assert "starts in 10 minutes" in mail_server.arrived[-1]["Subject"]


def test_each_message_has_a_link_of_its_own_that_ends_with_the_visit(booked, mail_server):
    services.send_due()
    services.send_due(booked.start - timedelta(minutes=10))

    tokens = [_token(mail) for mail in mail_server.arrived]
    assert len(set(tokens)) == 2
    for token in tokens:
        link = links.find(token)
        assert link.kind == AccessLink.Kind.PATIENT
        assert link.resource_id == booked.pk
        assert link.patient == booked.patient
        assert booked.end < link.expires_at <= booked.end + timedelta(days=1)


def test_sending_is_audited_without_names(booked, mail_server):
    services.send_due()

    event = AuditEvent.objects.get(subtype="message.send")
    assert event.entity_id == str(row(booked).pk)
    assert event.clinic == booked.clinic
    assert event.patient == booked.patient
    assert event.detail == {"kind": "confirmation", "revision": 0, "attempts": 1}


def test_a_visit_cancelled_after_planning_is_not_confirmed(booked, mail_server):
    # As if the cancelling and the tick met: the row was still planned.
    Appointment.objects.filter(pk=booked.pk).update(status=Appointment.Status.CANCELLED)

    assert services.send_due() == 0
    assert not mail_server.arrived
    assert (row(booked).state, row(booked).reason) == (State.SUPPRESSED, Reason.CANCELLED)
    assert not AccessLink.objects.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": Appointment.Status.FULFILLED}, Reason.OVER),
        ({"status": Appointment.Status.NOSHOW}, Reason.OVER),
        ({"revision": 1}, Reason.SUPERSEDED),
    ],
)
def test_the_visit_as_it_is_now_decides(booked, mail_server, change, reason):
    Appointment.objects.filter(pk=booked.pk).update(**change)

    assert services.send_due() == 0
    assert not mail_server.arrived
    assert row(booked).reason == reason


def test_a_worker_that_slept_too_long_does_not_remind_of_the_past(booked, mail_server):
    assert services.send_due(booked.start + timedelta(seconds=1)) == 1  # the confirmation still helps

    assert row(booked, Kind.REMINDER_SOON).reason == Reason.TOO_LATE


def test_the_cancellation_reaches_who_was_told(booked, mail_server):
    services.send_due()
    cancel(booked)

    assert services.send_due() == 1
    mail = mail_server.arrived[-1]
    assert "cancelled" in mail["Subject"]
    assert "/v/" not in mail.as_string()


def test_an_address_refused_for_good_is_not_tried_again(booked, mail_server):
    mail_server.answers["RCPT"] = "550 5.1.1 no such person"

    assert services.send_due() == 0
    assert (row(booked).state, row(booked).reason) == (State.FAILED, Reason.REFUSED)
    assert services.send_due(timezone.now() + timedelta(minutes=30)) == 0
    event = AuditEvent.objects.get(subtype="message.send")
    assert event.outcome == AuditEvent.Outcome.SERIOUS_FAILURE


def test_a_server_that_says_later_is_asked_later_but_not_for_ever(booked, mail_server):
    mail_server.answers["RCPT"] = "451 4.7.1 come back later"
    now = timezone.now()

    for attempt in range(1, 6):
        services.send_due(now)
        message = row(booked)
        assert message.attempts == attempt
        now = message.due_at

    assert (message.state, message.reason) == (State.FAILED, Reason.REFUSED)


def test_each_pause_is_longer_than_the_one_before(booked, mail_server):
    mail_server.answers["RCPT"] = "451 4.7.1 come back later"
    now, pauses = timezone.now(), []

    for _ in range(4):
        services.send_due(now)
        pauses.append(row(booked).due_at - now)
        now = row(booked).due_at

    assert pauses == sorted(set(pauses))


def test_a_server_that_is_back_gets_the_mail(booked, mail_server):
    mail_server.answers["EHLO"] = mail_server.answers["HELO"] = ""
    services.send_due()
    message = row(booked)
    assert (message.state, message.attempts) == (State.PLANNED, 1)
    assert message.due_at > timezone.now()

    mail_server.answers.clear()
    assert services.send_due(message.due_at) == 1
    assert len(mail_server.arrived) == 1


def test_nobody_listening_is_retried_until_it_is_too_late(booked, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    now = timezone.now()

    while row(booked).state == State.PLANNED:
        services.send_due(now)
        now = max(now, row(booked).due_at)

    message = row(booked)
    assert (message.state, message.reason) == (State.FAILED, Reason.UNREACHABLE)
    assert message.due_at < booked.end
    assert message.attempts > 5
    assert not AccessLink.objects.exists(), "links were made for nobody"


def test_a_dead_server_costs_one_attempt_of_one_message_per_tick(booked, practitioner, settings):
    announce(factories.make_visit(practitioner), "booked")
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    services.send_due()

    assert Communication.objects.filter(attempts=1).count() == 1


def test_one_broken_message_does_not_stop_the_others(booked, practitioner, mail_server):
    other = factories.make_visit(practitioner)
    announce(other, "booked")
    type(booked.patient).objects.filter(pk=booked.patient.pk).update(email="rosa\n@example.org")

    assert services.send_due() == 1

    assert row(other).state == State.SENT
    now = timezone.now()
    for _ in range(2):
        now += timedelta(minutes=3)
        services.send_due(now)
    assert (row(booked).state, row(booked).reason) == (State.FAILED, Reason.INTERRUPTED)


def test_logs_hold_ids_only(booked, mail_server, caplog):
    mail_server.answers["RCPT"] = "550 rosa@example.org unknown"
    caplog.set_level("DEBUG")

    services.send_due()

    ours = [record.getMessage() for record in caplog.records if record.name.startswith("visits")]
    assert any(str(row(booked).pk) in line for line in ours)
    assert not any("rosa" in line.lower() or "/v/" in line for line in ours)


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_send_each_of_fifty_mails_exactly_once(practitioner, visit_type, mail_server):
    visits = [factories.make_visit(practitioner, visit_type=visit_type) for _ in range(50)]
    for visit in visits:
        announce(visit, "booked")
    barrier, sent = threading.Barrier(4), []

    def work() -> None:
        barrier.wait()
        sent.append(services.send_due())
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sum(sent) == 50
    assert len(mail_server.ids) == len(set(mail_server.ids)) == 50
    assert Communication.objects.filter(kind=Kind.CONFIRMATION, state=State.SENT, attempts=1).count() == 50


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_over_a_mail_leaves_it_to_the_next_which_sends_it_once(booked, mail_server):
    _kill_a_worker_while_it_sends(mail_server)
    assert row(booked).state == State.CLAIMED

    assert services.send_due() == 0, "taken from a worker that may still be at it"
    assert services.send_due(timezone.now() + timedelta(minutes=3)) == 1
    assert services.send_due(timezone.now() + timedelta(minutes=6)) == 0
    assert len(mail_server.arrived) == 1


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_kills_every_worker_is_given_up(booked, mail_server):
    _kill_a_worker_while_it_sends(mail_server)
    later = timezone.now() - timedelta(minutes=3)
    Communication.objects.filter(pk=row(booked).pk).update(claimed_at=later)
    _kill_a_worker_while_it_sends(mail_server)

    assert services.send_due(timezone.now() + timedelta(minutes=3)) == 0
    assert (row(booked).state, row(booked).reason) == (State.FAILED, Reason.INTERRUPTED)


def _kill_a_worker_while_it_sends(mail_server: MailServer) -> None:
    """A process of its own that dies by SIGKILL when the server has the mail but has not said yes."""
    killed = threading.Event()

    def kill() -> None:
        process.kill()
        process.wait()
        killed.set()
        raise ConnectionAbortedError

    mail_server.on_mail = kill
    mail_server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    program = "import django; django.setup(); from visits.reminders import services; services.send_due()"
    process = subprocess.Popen([sys.executable, "-c", program], env=process_environment(mail_server.port))
    assert killed.wait(30)
    mail_server.on_mail = lambda: None


def _token(mail) -> str:
    text = mail.get_body(("plain",)).get_content()
    [line] = [line for line in text.splitlines() if "/v/" in line]
    return line.rstrip("/").rsplit("/", 1)[1]
