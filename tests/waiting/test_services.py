from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone
from freezegun import freeze_time

from accounts.models import AuditEvent
from tests import factories
from tests.conftest import staff
from tests.party import bearer, make_link
from tests.waiting.conftest import make_arrived
from visits.booking import services as booking
from visits.booking.errors import BookingError, WrongState
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import rules
from visits.waiting import services
from visits.waiting.models import Ticket
from visits.waiting.services import Phase
from visits.waiting.signals import admitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def let_in():
    """The visits of which ``admitted`` was announced."""
    heard = []

    def hear(appointment, **_):
        heard.append(appointment.pk)

    admitted.connect(hear)
    yield heard
    admitted.disconnect(hear)


def move(visit, **change):
    visit.start = timezone.now() + timedelta(**change)
    visit.end = visit.start + timedelta(minutes=20)
    visit.save()


def arrive(principal, visit):
    return services.arrive(principal=principal, visit=visit)


def test_arriving_twice_keeps_the_place(as_patient, visit):
    first = arrive(as_patient, visit)
    again = arrive(as_patient, visit)

    assert first.arrived_at == again.arrived_at
    visit.refresh_from_db()
    assert visit.status == Appointment.Status.ARRIVED
    assert AuditEvent.objects.filter(subtype="appointment.arrive").count() == 1


@pytest.mark.django_db(transaction=True)
def test_arriving_on_many_devices_at_once_is_one_arrival(as_patient, visit):
    def come(_):
        try:
            return arrive(as_patient, visit).arrived_at
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(come, range(8)))) == 1
    assert AuditEvent.objects.filter(subtype="appointment.arrive").count() == 1


def test_the_line_opens_half_an_hour_before(as_patient, visit):
    move(visit, minutes=31)
    with pytest.raises(services.LineClosed):
        arrive(as_patient, visit)
    move(visit, minutes=29)
    assert arrive(as_patient, visit)


def test_the_line_closes_long_after_the_end(as_patient, visit):
    move(visit, hours=-5)
    with pytest.raises(services.LineClosed):
        arrive(as_patient, visit)


def test_nobody_waits_without_details_and_consent(practitioner):
    visit = factories.make_visit(practitioner, start=timezone.now())
    with pytest.raises(services.LineClosed):
        arrive(bearer(make_link(visit)), visit)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize("status", [Appointment.Status.CANCELLED, Appointment.Status.FULFILLED])
def test_nobody_waits_for_a_closed_visit(as_patient, visit, status):
    Appointment.objects.filter(pk=visit.pk).update(status=status)
    with pytest.raises(services.LineClosed):
        arrive(as_patient, visit)


def test_only_the_patient_arrives(as_guest, visit, practitioner):
    other = bearer(make_link(factories.make_visit(practitioner)))
    for principal in (as_guest, other):
        with pytest.raises(Http404):
            arrive(principal, visit)


def test_admitting_lets_in_once_and_announces_it(as_patient, visit, clinician, front_desk, let_in):
    arrive(as_patient, visit)

    first = services.admit(principal=staff(clinician), visit=visit)
    again = services.admit(principal=staff(front_desk), visit=visit)

    assert first.admitted_by == again.admitted_by == clinician
    assert first.admitted_at == again.admitted_at
    assert let_in == [visit.pk]
    assert AuditEvent.objects.filter(subtype="visit.admit").count() == 1


@pytest.mark.parametrize(("seconds", "told"), [(5, 0), (300, 1)])
def test_who_is_let_in_while_their_page_is_closed_gets_a_message(as_patient, visit, clinician, seconds, told):
    ticket = arrive(as_patient, visit)
    Ticket.objects.filter(pk=ticket.pk).update(seen_at=timezone.now() - timedelta(seconds=seconds))
    for _ in range(2):
        services.admit(principal=staff(clinician), visit=visit)

    assert visit.communications.filter(kind=Communication.Kind.CLINICIAN_WAITING, channel="email").count() == told


def test_who_is_let_in_long_after_the_visits_end_is_told_all_the_same(as_patient, visit, clinician):
    """A clinician may be late by more than a visit's length."""
    ticket = arrive(as_patient, visit)
    Ticket.objects.filter(pk=ticket.pk).update(seen_at=None)
    with freeze_time(visit.end + timedelta(minutes=5)):
        services.admit(principal=staff(clinician), visit=visit)

        message = visit.communications.get(kind=Communication.Kind.CLINICIAN_WAITING, channel="email")
        assert not rules.why_not(message, now=timezone.now())
        assert services.look(principal=as_patient, visit_id=visit.pk).phase == Phase.CALLED
    assert rules.why_not(message, now=visit.end + visit.LINE_CLOSES_AFTER) == Communication.Reason.TOO_LATE


def test_that_the_clinician_waits_is_said_for_a_quarter_of_an_hour(as_patient, visit, clinician):
    ticket = arrive(as_patient, visit)
    Ticket.objects.filter(pk=ticket.pk).update(seen_at=None)
    services.admit(principal=staff(clinician), visit=visit)
    message = visit.communications.get(kind=Communication.Kind.CLINICIAN_WAITING, channel="email")

    assert not rules.why_not(message, now=timezone.now() + timedelta(minutes=14))
    assert rules.why_not(message, now=timezone.now() + timedelta(minutes=15)) == Communication.Reason.TOO_LATE


def test_who_is_called_in_a_second_time_is_told_a_second_time(as_patient, visit, clinician):
    for again in (False, True):
        ticket = services.arrive(principal=as_patient, visit=visit, again=again)
        Ticket.objects.filter(pk=ticket.pk).update(seen_at=None)
        services.admit(principal=staff(clinician), visit=visit)
        booking.miss(principal=staff(clinician), visit=visit)

    told = visit.communications.filter(kind=Communication.Kind.CLINICIAN_WAITING, channel="email")
    assert told.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_who_admit_at_once_let_in_once(as_patient, visit, clinician, front_desk, let_in):
    arrive(as_patient, visit)
    principals = [staff(clinician), staff(front_desk)] * 4

    def press(principal):
        try:
            return services.admit(principal=principal, visit=visit).admitted_by_id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(press, principals))) == 1
    assert let_in == [visit.pk]
    assert AuditEvent.objects.filter(subtype="visit.admit").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ["cancel", "miss"])
def test_letting_in_and_calling_off_at_once_leave_one_truth(as_patient, visit, clinician, front_desk, let_in, end):
    arrive(as_patient, visit)
    call_off = {"cancel": booking.cancel, "miss": services.miss}[end]
    deeds = [(services.admit, clinician), (call_off, front_desk)] * 3

    def press(deed):
        work, user = deed
        try:
            work(principal=staff(user), visit=visit)
        except (services.NotWaiting, WrongState):
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(press, deeds))
    visit.refresh_from_db()
    admitted_at = Ticket.objects.get().admitted_at
    if end == "miss":
        assert (visit.status == "arrived") == (admitted_at is not None), "missed or let in, never both"
    else:
        assert visit.status == "cancelled"
    assert len(let_in) == (admitted_at is not None)


def test_who_is_not_there_cannot_be_admitted(visit, clinician, let_in):
    with pytest.raises(services.NotWaiting):
        services.admit(principal=staff(clinician), visit=visit)
    assert let_in == []


def test_who_may_not_admit_learns_nothing(as_patient, as_guest, visit, stranger, auditor, clinic_admin):
    arrive(as_patient, visit)
    for principal in (as_patient, as_guest, staff(stranger), staff(auditor), staff(clinic_admin)):
        with pytest.raises(Http404):
            services.admit(principal=principal, visit=visit)
    assert Ticket.objects.get().admitted_at is None


def test_the_database_wants_to_know_who_admitted(as_patient, visit):
    ticket = arrive(as_patient, visit)
    with pytest.raises(IntegrityError), transaction.atomic():
        Ticket.objects.filter(pk=ticket.pk).update(admitted_at=timezone.now())


def test_places_go_by_booked_time_and_arrival(as_patient, visit, practitioner, clinic):
    move(visit, minutes=5)
    late = make_arrived(practitioner, -30)  # came half an hour late: behind nobody but who comes later
    early = make_arrived(practitioner, 29)
    arrive(as_patient, visit)
    elsewhere = make_arrived(factories.make_practitioner(clinic), -30)

    position = {
        each.pk: services.look(principal=bearer(make_link(each)), visit_id=each.pk).position
        for each in (late, visit, early, elsewhere)
    }
    assert position == {late.pk: 1, visit.pk: 2, early.pk: 3, elsewhere.pk: 1}


def test_who_goes_in_moves_the_others_up(as_patient, visit, practitioner, clinician):
    before = make_arrived(practitioner, -20)
    arrive(as_patient, visit)
    assert services.look(principal=as_patient, visit_id=visit.pk).position == 2

    services.admit(principal=staff(clinician), visit=before)

    look = services.look(principal=as_patient, visit_id=visit.pk)
    assert (look.phase, look.position) == (Phase.WAITING, 1)
    assert look.range == (12, 25)


def test_the_length_of_finished_visits_is_kept_and_used(as_patient, visit, practitioner, clinician):
    now = timezone.now()
    for hours in range(1, 7):
        past = factories.make_visit(practitioner, start=now - timedelta(hours=hours), status="fulfilled")
        start = now - timedelta(hours=hours)
        Ticket.objects.create(
            appointment=past, admitted_at=start, admitted_by=clinician, finished_at=start + timedelta(minutes=10)
        )
    make_arrived(practitioner, -20)
    arrive(as_patient, visit)

    # One 20 minute visit ahead at half the booked length; but not before the booked time is the most.
    assert services.look(principal=as_patient, visit_id=visit.pk).range == (10, 10)


def test_the_phases_of_a_visit(as_patient, as_guest, visit, clinician):
    def phase(principal=as_patient):
        return services.look(principal=principal, visit_id=visit.pk).phase

    move(visit, hours=3)
    assert phase() == phase(as_guest) == Phase.EARLY
    move(visit, minutes=5)
    arrive(as_patient, visit)
    assert phase() == phase(as_guest) == Phase.WAITING
    services.admit(principal=staff(clinician), visit=visit)
    assert phase() == phase(as_guest) == Phase.CALLED
    booking.fulfil(principal=None, visit=visit)
    assert phase() == phase(as_guest) == Phase.OVER
    assert Ticket.objects.get().finished_at is not None


def test_who_was_just_let_in_is_not_missed_by_a_board_that_is_behind(as_patient, visit, clinician, front_desk):
    services.arrive(principal=as_patient, visit=visit)
    services.admit(principal=staff(clinician), visit=visit)
    with pytest.raises(WrongState):
        services.miss(principal=staff(front_desk), visit=visit)

    visit.refresh_from_db()
    assert visit.status == "arrived"


def test_nobody_is_missed_before_their_time(visit, clinician, front_desk):
    """The button on a board that is behind: the visit was moved meanwhile."""
    with pytest.raises(WrongState):
        services.miss(principal=staff(front_desk), visit=visit)

    visit.refresh_from_db()
    assert visit.status == "booked"
    assert not Communication.objects.filter(kind="missed").exists()
    move(visit, minutes=-1)
    assert services.miss(principal=staff(front_desk), visit=visit).status == "noshow"


def test_a_patient_who_was_let_in_before_they_were_missed_can_be_missed_again(as_patient, visit, clinician):
    services.arrive(principal=as_patient, visit=visit)
    services.miss(principal=staff(clinician), visit=visit)
    services.arrive(principal=as_patient, visit=visit, again=True)
    services.miss(principal=staff(clinician), visit=visit)

    visit.refresh_from_db()
    assert visit.status == "noshow"


def test_a_missed_patient_can_join_again_at_the_end_of_the_line(as_patient, visit, clinician):
    first = arrive(as_patient, visit)
    services.admit(principal=staff(clinician), visit=visit)
    booking.miss(principal=staff(clinician), visit=visit)
    assert services.look(principal=as_patient, visit_id=visit.pk).phase == Phase.MISSED
    with pytest.raises(services.LineClosed):
        arrive(as_patient, visit)

    again = services.arrive(principal=as_patient, visit=visit, again=True)

    assert again.arrived_at > first.arrived_at
    assert again.admitted_at is None
    assert services.look(principal=as_patient, visit_id=visit.pk).phase == Phase.WAITING


def test_a_missed_patient_whose_time_was_given_away_cannot(as_patient, visit, practitioner, clinician):
    booking.miss(principal=staff(clinician), visit=visit)
    factories.make_visit(practitioner, start=visit.start)
    with pytest.raises(BookingError):
        services.arrive(principal=as_patient, visit=visit, again=True)


def test_a_sign_of_life_is_written_once_in_a_while(as_patient, visit):
    arrive(as_patient, visit)
    first = Ticket.objects.get().seen_at
    services.seen(visit)
    assert Ticket.objects.get().seen_at == first

    old = timezone.now() - Ticket.SIGN_EVERY
    Ticket.objects.update(seen_at=old)
    services.seen(visit)
    assert Ticket.objects.get().seen_at > old


def test_the_place_outlives_the_page(as_patient, visit):
    ticket = arrive(as_patient, visit)
    now = timezone.now()
    assert ticket.is_here(now + timedelta(seconds=44))
    assert not ticket.is_here(now + timedelta(seconds=46))

    services.away(principal=as_patient, visit=visit)
    away = Ticket.objects.get()
    assert not away.is_here()
    services.last_seen(visit.pk)  # the socket closes after the good-bye
    assert Ticket.objects.get().seen_at is None
    assert services.look(principal=as_patient, visit_id=visit.pk).position == 1

    services.be_here(principal=as_patient, visit_id=visit.pk)
    assert Ticket.objects.get().is_here()
    assert Ticket.objects.get().arrived_at == ticket.arrived_at


def test_an_open_page_takes_the_place_when_the_line_opens(as_patient, visit):
    move(visit, hours=2)
    services.be_here(principal=as_patient, visit_id=visit.pk)
    assert not Ticket.objects.exists()
    move(visit, minutes=20)
    services.be_here(principal=as_patient, visit_id=visit.pk)
    assert Ticket.objects.get().is_here()


def test_asking_for_a_moment_counts_only_after_the_call(as_patient, visit, clinician):
    arrive(as_patient, visit)
    services.need_a_moment(principal=as_patient, visit=visit)
    assert Ticket.objects.get().moment_at is None
    services.admit(principal=staff(clinician), visit=visit)
    services.need_a_moment(principal=as_patient, visit=visit)
    assert Ticket.objects.get().moment_at is not None
