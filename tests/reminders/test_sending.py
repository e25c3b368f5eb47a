"""What really goes out: over SMTP, once, and only while it is true."""

import subprocess
import sys
import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent
from tests import factories
from tests.conftest import staff
from tests.reminders.conftest import announce, cancel, process_environment
from tests.reminders.mailserver import MailServer
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication, ReminderPolicy
from visits.reminders.services import delivery

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason


def row(visit: Appointment, kind: str = Kind.CONFIRMATION, **which: object) -> Communication:
    return visit.communications.get(kind=kind, **which)


@pytest.fixture
def booked(visit: Appointment, policy: ReminderPolicy) -> Appointment:
    """With one reminder that is to come."""
    policy.lead_times.exclude(minutes=10).delete()
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
    assert event.detail == {"kind": "confirmation", "channel": "email", "revision": 0, "attempts": 1}


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

    assert row(booked, Kind.REMINDER).reason == Reason.TOO_LATE


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
    booked.patient.email = "rosa\n@example.org"
    booked.patient.save()

    assert services.send_due() == 1

    assert row(other).state == State.SENT
    now = timezone.now()
    for _ in range(4):
        now += timedelta(minutes=9)
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
def test_a_worker_killed_when_the_server_may_have_the_mail_leaves_it_to_a_person(booked, mail_server):
    _kill_a_worker_while_it_sends(mail_server)
    assert row(booked).state == State.CLAIMED

    assert services.send_due() == 0, "taken from a worker that may still be at it"
    assert services.send_due(timezone.now() + timedelta(minutes=3)) == 0
    assert (row(booked).state, row(booked).reason) == (State.UNKNOWN, Reason.INTERRUPTED)
    assert services.send_due(timezone.now() + timedelta(minutes=6)) == 0
    assert not mail_server.arrived


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_before_the_server_has_the_mail_leaves_it_to_the_next(booked, mail_server):
    _kill_a_worker_while_it_sends(mail_server, at="MAIL")
    assert (row(booked).state, row(booked).dispatched_at) == (State.CLAIMED, None)

    assert services.send_due() == 0, "taken from a worker that may still be at it"
    assert services.send_due(timezone.now() + timedelta(minutes=3)) == 1
    assert services.send_due(timezone.now() + timedelta(minutes=6)) == 0
    assert len(mail_server.arrived) == 1


def test_a_message_that_workers_die_over_is_given_up(booked, mail_server):
    gone = timezone.now() - timedelta(minutes=3)
    for _ in range(4):
        Communication.objects.filter(pk=row(booked).pk).update(state=State.CLAIMED, claimed_at=gone)
        claimed = delivery._claim(timezone.now(), set(), asked_for=False)
        assert claimed is not None
    Communication.objects.filter(pk=row(booked).pk).update(claimed_at=gone)

    assert services.send_due() == 0
    assert (row(booked).state, row(booked).reason) == (State.FAILED, Reason.INTERRUPTED)


def test_an_answer_that_never_comes_is_not_asked_for_again(booked, mail_server, settings):
    settings.EMAIL_TIMEOUT = 0.2
    mail_server.on_mail = lambda: time.sleep(1)

    assert services.send_due() == 0
    assert (row(booked).state, row(booked).reason) == (State.UNKNOWN, Reason.NO_ANSWER)
    mail_server.on_mail = lambda: None
    assert services.send_due(timezone.now() + timedelta(minutes=30)) == 0
    event = AuditEvent.objects.get(subtype="message.send")
    assert event.detail["reason"] == Reason.NO_ANSWER


def test_a_talk_that_breaks_off_before_the_mail_is_tried_again(booked, mail_server):
    mail_server.answers["RCPT"] = ""

    assert services.send_due() == 0
    assert (row(booked).state, row(booked).dispatched_at) == (State.PLANNED, None)


def test_staff_settle_what_is_unknown(booked, mail_server, front_desk):
    unknown = row(booked)
    Communication.objects.filter(pk=unknown.pk).update(
        state=State.UNKNOWN, reason=Reason.NO_ANSWER, dispatched_at=timezone.now()
    )

    services.settle(principal=staff(front_desk), communication=unknown)

    assert (row(booked).state, row(booked).reason) == (State.SENT, "")
    assert AuditEvent.objects.filter(subtype="message.settle", user=front_desk).exists()


def test_a_visit_cancelled_while_its_mail_is_on_the_way_is_not_confirmed(booked, mail_server):
    """Between the claim and the hand-over: the last look sees it."""
    message = delivery._claim(timezone.now(), set(), asked_for=False)
    assert message is not None
    Appointment.objects.filter(pk=booked.pk).update(status=Appointment.Status.CANCELLED)
    with pytest.raises(delivery.Withdrawn) as withdrawn:
        delivery._hand_over(message, timezone.now())

    assert withdrawn.value.reason == Reason.CANCELLED


def test_a_slow_worker_does_not_send_what_another_has_taken_over(booked, mail_server):
    slow = delivery._claim(timezone.now(), set(), asked_for=False)
    assert slow is not None
    assert services.send_due(timezone.now() + timedelta(minutes=3)) == 1

    with pytest.raises(delivery.Withdrawn):
        delivery._hand_over(slow, timezone.now())
    assert len(mail_server.arrived) == 1


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"state": "unknown", "reason": "no-answer"}, "communication_unknown_was_handed_over"),
        ({"state": "sent"}, "communication_sent_has_time"),
        ({"state": "failed"}, "communication_not_sent_has_reason"),
        ({"state": "lost"}, "communication_state_known"),
        ({"channel": "fax"}, "communication_channel_known"),
        ({"lead": 5}, "communication_reminders_have_lead"),
        ({"appointment": None}, "communication_of_a_visit_or_by_reference"),
    ],
)
def test_the_database_refuses_what_cannot_be(booked, change, name):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Communication.objects.filter(pk=row(booked).pk).update(**change)


def test_the_database_refuses_a_second_row_of_the_same(booked):
    same = row(booked)
    same.pk = uuid.uuid4()
    with pytest.raises(IntegrityError), transaction.atomic():
        same.save(force_insert=True)


def _kill_a_worker_while_it_sends(mail_server: MailServer, at: str = "") -> None:
    """A process of its own that dies by SIGKILL when the server has the mail but has not said yes, or at a command."""
    killed = threading.Event()

    def kill() -> None:
        process.kill()
        process.wait()
        killed.set()
        raise ConnectionAbortedError

    if at:
        mail_server.on_command = lambda command: kill() if command == at else None
    else:
        mail_server.on_mail = kill
    mail_server.handle_error = lambda request, address: None  # type: ignore[method-assign]
    program = "import django; django.setup(); from visits.reminders import services; services.send_due()"
    process = subprocess.Popen([sys.executable, "-c", program], env=process_environment(mail_server.port))
    assert killed.wait(30)
    mail_server.on_mail, mail_server.on_command = lambda: None, lambda command: None


def _token(mail) -> str:
    text = mail.get_body(("plain",)).get_content()
    [line] = [line for line in text.splitlines() if "/v/" in line]
    return line.rstrip("/").rsplit("/", 1)[1]
