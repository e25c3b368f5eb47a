"""Which messages there will be, and why some there will not."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Patient, Practitioner
from tests import factories
from tests.reminders.conftest import announce, cancel
from visits.booking.models import Appointment
from visits.reminders import services
from visits.reminders.models import Communication

Kind = Communication.Kind
State = Communication.State
Reason = Communication.Reason


def states(visit: Appointment) -> dict[str, tuple[str, str]]:
    return {row.kind: (row.state, row.reason) for row in visit.communications.all()}


@pytest.fixture
def far_visit(practitioner: Practitioner, patient: Patient) -> Appointment:
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(days=3)
    return factories.make_visit(practitioner, patient=patient, start=start)


def test_a_booked_visit_has_its_messages_planned(far_visit):
    announce(far_visit, "booked")

    assert states(far_visit) == {
        Kind.CONFIRMATION: (State.PLANNED, ""),
        Kind.REMINDER_DAY: (State.PLANNED, ""),
        Kind.REMINDER_SOON: (State.PLANNED, ""),
    }
    due = {row.kind: row.due_at for row in far_visit.communications.all()}
    assert due[Kind.CONFIRMATION] <= timezone.now()
    assert due[Kind.REMINDER_DAY] == far_visit.start - timedelta(days=1)
    assert due[Kind.REMINDER_SOON] == far_visit.start - timedelta(minutes=10)


def test_planning_twice_plans_once(far_visit):
    announce(far_visit, "booked")
    announce(far_visit, "booked")

    assert far_visit.communications.count() == 3


def test_reminders_whose_time_has_passed_are_written_down_as_not_sent(practitioner):
    visit = factories.make_visit(practitioner, start=timezone.now() + timedelta(minutes=5))

    announce(visit, "booked")

    assert states(visit) == {
        Kind.CONFIRMATION: (State.PLANNED, ""),
        Kind.REMINDER_DAY: (State.SUPPRESSED, Reason.TOO_LATE),
        Kind.REMINDER_SOON: (State.SUPPRESSED, Reason.TOO_LATE),
    }


def test_a_patient_without_address_gets_nothing_and_the_ledger_says_why(practitioner, clinic):
    visit = factories.make_visit(practitioner, patient=factories.make_patient(clinic, email=""))

    announce(visit, "booked")

    assert set(states(visit).values()) == {(State.SUPPRESSED, Reason.NO_ADDRESS)}


def test_a_cancelled_visit_has_nothing_planned_any_more(far_visit):
    announce(far_visit, "booked")

    cancel(far_visit)

    assert set(states(far_visit).values()) == {(State.SUPPRESSED, Reason.CANCELLED)}


def test_who_was_told_of_the_visit_is_told_of_its_end(far_visit, mail_server):
    announce(far_visit, "booked")
    services.send_due()

    cancel(far_visit)

    assert states(far_visit) == {
        Kind.CONFIRMATION: (State.SENT, ""),
        Kind.REMINDER_DAY: (State.SUPPRESSED, Reason.CANCELLED),
        Kind.REMINDER_SOON: (State.SUPPRESSED, Reason.CANCELLED),
        Kind.CANCELLATION: (State.PLANNED, ""),
    }


@pytest.mark.parametrize("change", ["fulfilled", "noshow"])
def test_a_visit_that_is_over_reminds_nobody(far_visit, change):
    announce(far_visit, "booked")

    announce(far_visit, change)

    assert set(states(far_visit).values()) == {(State.SUPPRESSED, Reason.OVER)}


@pytest.mark.django_db(transaction=True)
def test_a_booking_that_is_rolled_back_leaves_no_message(far_visit):
    class Stop(Exception):
        pass

    with suppress(Stop), transaction.atomic():
        announce(far_visit, "booked")
        raise Stop

    assert Communication.objects.count() == 0
