"""From when to when somebody was there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Patient, Practitioner
from accounts.principal import Principal
from tests import factories
from tests.party import bearer, make_link
from tests.room.conftest import be_here, enter
from tests.threads import at_once
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import rules
from visits.room import presence, services
from visits.room.models import Encounter, Presence, Seat
from visits.room.state import call_state
from visits.room.tasks import close_silent
from visits.waiting import services as waiting


@pytest.fixture
def seat(encounter: Encounter, as_patient: Principal) -> Seat:
    return enter(as_patient, encounter.appointment)


def test_being_connected_is_noted_once(seat: Seat) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    presence.connected(seat=seat.pk, epoch=seat.epoch)

    assert Presence.objects.get(seat=seat).left_at is None


def test_leaving_closes_it(seat: Seat) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LOST)
    presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LEFT)

    closed = Presence.objects.get(seat=seat)
    assert closed.left_at is not None
    assert closed.left_why == presence.LOST


def test_a_newer_copy_takes_over_without_overlap(seat: Seat) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    newer = services.next_epoch(seat, opened_at=timezone.now(), audio=True, video=False)
    presence.connected(seat=seat.pk, epoch=newer.epoch)

    old, new = Presence.objects.filter(seat=seat).order_by("epoch")
    assert (old.left_why, old.left_at, new.left_at) == (presence.MOVED, new.joined_at, None)


def test_news_of_an_older_copy_is_stale(seat: Seat) -> None:
    older = seat.epoch
    newer = services.next_epoch(seat, opened_at=timezone.now(), audio=True, video=True).epoch
    presence.connected(seat=seat.pk, epoch=newer)

    presence.connected(seat=seat.pk, epoch=older)
    presence.left(seat=seat.pk, epoch=older, why=presence.LOST)

    assert Presence.objects.get(seat=seat, left_at=None).epoch == newer


@pytest.fixture
def other_visit(practitioner: Practitioner, other_patient: Patient) -> Appointment:
    return factories.make_visit(practitioner, patient=other_patient)


def test_a_clinician_is_in_one_visit_at_a_time(
    encounter: Encounter, other_visit: Appointment, as_clinician: Principal
) -> None:
    first = enter(as_clinician, encounter.appointment)
    presence.connected(seat=first.pk, epoch=first.epoch)
    second = enter(as_clinician, other_visit)
    presence.connected(seat=second.pk, epoch=second.epoch)

    before = Presence.objects.get(seat=first)
    assert (before.left_why, before.left_at is not None) == (presence.MOVED, True)
    assert Presence.objects.get(seat=second).left_at is None
    first.refresh_from_db()
    assert first.epoch == 2  # the copy in the first visit has lost its seat


def test_others_stay_when_the_clinician_goes_to_another_visit(
    encounter: Encounter, other_visit: Appointment, seat: Seat, as_clinician: Principal
) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    theirs = enter(as_clinician, other_visit)
    presence.connected(seat=theirs.pk, epoch=theirs.epoch)

    assert Presence.objects.get(seat=seat).left_at is None


def test_nobody_connects_to_an_ended_visit(seat: Seat, as_clinician: Principal) -> None:
    services.end(principal=as_clinician, visit=seat.encounter.appointment)

    presence.connected(seat=seat.pk, epoch=seat.epoch)

    assert not Presence.objects.filter(left_at=None).exists()


def test_the_silent_are_closed_as_of_their_last_sign(seat: Seat) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    last_sign = timezone.now() - timedelta(seconds=61)
    Presence.objects.update(joined_at=last_sign, seen_at=last_sign)

    assert close_silent() == 1
    assert close_silent() == 0

    closed = Presence.objects.get(seat=seat)
    assert (closed.left_at, closed.left_why) == (last_sign, presence.SILENT)


def test_a_sign_of_life_keeps_it_open(seat: Seat) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    Presence.objects.update(seen_at=timezone.now() - timedelta(seconds=61))

    assert presence.seen(seat=seat.pk, epoch=seat.epoch)
    assert close_silent() == 0


def test_what_is_sent_out_as_silent_cannot_be_taken_up(seat: Seat, as_patient: Principal) -> None:
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    copy = services.copy_of(principal=as_patient, visit=seat.encounter.appointment, epoch=seat.epoch)
    Presence.objects.update(seen_at=timezone.now() - timedelta(seconds=61))  # before it began: the clock was set
    assert close_silent() == 1

    with pytest.raises(services.NotJoined):
        services.resume(principal=as_patient, seat=copy, opened_at=timezone.now())


def send_out_as_lost(seat: Seat) -> bool:
    return services.vacate(seat=seat, why=presence.LOST)


def send_out_as_silent(seat: Seat) -> bool:
    return close_silent() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("send_out", [send_out_as_lost, send_out_as_silent])
def test_who_comes_back_at_that_moment_is_either_sent_out_or_in(
    encounter: Encounter, as_patient: Principal, send_out: Callable[[Seat], bool]
) -> None:
    visit = encounter.appointment

    def take_up() -> bool:
        try:
            services.resume(principal=as_patient, seat=copy, opened_at=timezone.now())
        except services.NotJoined:
            return False
        return True

    for _ in range(20):
        lost = be_here(as_patient, visit)
        copy = services.copy_of(principal=as_patient, visit=visit, epoch=lost.epoch)
        long_ago = timezone.now() - timedelta(seconds=61)
        Presence.objects.filter(left_at=None).update(joined_at=long_ago, seen_at=long_ago)

        is_out, is_in = at_once([lambda lost=lost: send_out(lost), take_up])

        assert is_in is not is_out
        assert Presence.objects.filter(seat=lost, left_at=None).exists() is is_in


def test_who_was_missed_and_comes_after_all_is_present_anew(
    encounter: Encounter, as_clinician: Principal, as_patient: Principal
) -> None:
    visit = encounter.appointment
    waited = be_here(as_clinician, visit)
    services.end(principal=as_clinician, visit=visit)  # the patient was let in and never came
    visit = booking.arrive(principal=as_clinician, visit=visit)
    waiting.admit(principal=as_clinician, visit=visit)
    assert not Presence.objects.filter(left_at=None).exists()

    seats = [be_here(who, visit) for who in (as_clinician, as_patient)]
    assert seats[0].pk == waited.pk
    ended = services.end(principal=as_clinician, visit=visit)

    stays = [(one.seat_id, one.left_why) for one in Presence.objects.order_by("joined_at")]
    assert stays == [(one.pk, presence.ENDED) for one in (waited, *seats)]
    visit.refresh_from_db()
    assert (ended.status, visit.status) == (Encounter.Status.FINISHED, Appointment.Status.FULFILLED)


@pytest.mark.django_db(transaction=True)
def test_of_two_sockets_that_join_at_once_the_one_that_was_opened_later_has_the_seat(
    encounter: Encounter, as_patient: Principal
) -> None:
    visit = encounter.appointment

    def join(opened_at: datetime) -> int | None:
        try:
            seat = services.enter(
                principal=as_patient, visit=visit, opened_at=opened_at, audio=True, video=True, e2ee=True
            )
        except services.SeatTaken:
            return None
        return seat.epoch

    for _ in range(10):
        older, newer = services.opening_time(visit) - timedelta(seconds=8), services.opening_time(visit)
        Seat.objects.update(opened_at=None)

        early, late = at_once([lambda at=at: join(at) for at in (older, newer)])

        assert late is not None
        assert early is None or early < late
        seat = Seat.objects.get(role="patient")
        assert (seat.epoch, seat.opened_at) == (late, newer)


def test_the_same_socket_joins_as_often_as_it_likes(encounter: Encounter, as_patient: Principal) -> None:
    visit, wishes = encounter.appointment, {"audio": True, "video": True, "e2ee": True}
    opened_at = services.opening_time(visit)

    for epoch in (1, 2):
        seat = services.enter(principal=as_patient, visit=visit, opened_at=opened_at, **wishes)
        assert seat.epoch == epoch


def test_a_clock_that_was_set_back_keeps_nobody_out(seat: Seat, as_patient: Principal) -> None:
    Seat.objects.update(opened_at=timezone.now() + timedelta(minutes=5))

    assert enter(as_patient, seat.encounter.appointment).epoch == seat.epoch + 1


def test_the_database_refuses_two_at_once(seat: Seat) -> None:
    now = timezone.now()
    Presence.objects.create(seat=seat, epoch=1, joined_at=now, seen_at=now)

    with pytest.raises(IntegrityError), transaction.atomic():
        Presence.objects.create(seat=seat, epoch=2, joined_at=now, seen_at=now)


def test_a_clock_that_steps_back_hurts_nothing(seat: Seat) -> None:
    later = timezone.now() + timedelta(minutes=1)
    Presence.objects.create(seat=seat, epoch=seat.epoch, joined_at=later, seen_at=later)

    presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LEFT)

    assert Presence.objects.get(seat=seat).left_at == later


@pytest.mark.parametrize(("who", "queries"), [("as_clinician", 3), ("as_patient", 4)])
def test_the_state_of_a_call_costs_a_handful_of_queries(
    seat: Seat, who: str, queries: int, request: pytest.FixtureRequest, django_assert_num_queries: Any
) -> None:
    """However many are in it: every socket asks every five seconds."""
    principal, visit = request.getfixturevalue(who), seat.encounter.appointment
    for name in ("Ana", "Ben", "Cem"):
        enter(bearer(make_link(visit, guest=name)), visit)

    with django_assert_num_queries(queries):
        assert len(call_state(principal, visit.pk).people) == 4


def test_who_is_in_the_call_is_not_told_that_the_clinician_waits(
    encounter: Encounter, as_clinician: Principal, as_patient: Principal
) -> None:
    visit, now = encounter.appointment, timezone.now()
    message = Communication(appointment=visit, patient=visit.patient, kind=Communication.Kind.CLINICIAN_WAITING)
    be_here(as_clinician, visit)
    enter(as_patient, visit)
    assert not rules.why_not(message, now=now)

    seat = be_here(as_patient, visit)
    assert rules.why_not(message, now=now) == Communication.Reason.NOT_NEEDED

    presence.left(seat=seat.pk, epoch=seat.epoch, why=presence.LOST)
    assert not rules.why_not(message, now=now)
