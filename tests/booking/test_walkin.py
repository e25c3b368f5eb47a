"""Who comes without an appointment while the clinic is open."""

from datetime import date, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils import timezone

from accounts.models import Patient
from tests import factories
from tests.booking.conftest import CHICAGO, TUESDAY, at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment
from visits.booking.patients import Details
from visits.checkin.services import line_opens_at
from visits.schedule.models import Availability, OpeningHours, SchedulePolicy

pytestmark = pytest.mark.django_db

NOW = at("10:07") + timedelta(seconds=31)
NEW = Details(given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30))


@pytest.fixture(autouse=True)
def seven_past_ten(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: NOW)


@pytest.fixture
def walk_in(clinic, front_desk, hours, patient, visit_type):
    SchedulePolicy.objects.create(clinic=clinic, walk_ins=True)

    def call(**changes) -> Appointment:
        return services.walk_in(
            **{"principal": staff(front_desk), "patient": patient, "visit_type": visit_type} | changes
        )

    return call


def test_a_visit_begins_this_minute_with_who_is_free(walk_in, hours):
    visit = walk_in()

    assert (visit.start, visit.practitioner, visit.origin) == (at("10:07"), hours, "walk-in")
    assert (visit.status, visit.changes.get().change) == ("booked", "booked")


def test_a_visit_by_phone_has_no_line_to_join(walk_in, clinic):
    with pytest.raises(services.Closed):
        walk_in(visit_type=factories.make_visit_type(clinic, mode="phone"))


def test_pressed_twice_it_is_one_visit(walk_in):
    assert walk_in() == walk_in()


def test_where_the_first_is_busy_the_next_takes_over_and_then_the_first_free_time(walk_in, clinic, visit_type):
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1)

    first, second, third, fourth = [walk_in(patient=factories.make_patient(clinic)) for _ in range(4)]

    assert {first.practitioner, second.practitioner} == set(clinic.practitioners.all())
    assert first.start == second.start == at("10:07")
    assert (third.start, fourth.start) == (at("10:40"), at("10:40"))
    assert {third.practitioner, fourth.practitioner} == set(clinic.practitioners.all())


def test_who_joins_a_queue_is_in_line_at_once_and_asked_twice_has_one_place(walk_in, hours, patient):
    factories.make_visit(hours, start=at("10:00"))
    visit = walk_in()

    assert visit.start == at("10:20")
    assert line_opens_at(visit) == visit.created_at
    assert walk_in() == visit
    visit.revision = 1
    assert line_opens_at(visit) > visit.created_at, "moved to another time it is a visit as any other"


def test_with_whom_it_is_wanted_the_first_time_of_theirs_is_taken(walk_in, clinic, hours):
    factories.make_hours(factories.make_practitioner(clinic), 1)
    factories.make_visit(hours, start=at("10:00"))

    assert (walk_in(practitioner=hours).practitioner, walk_in().start) == (hours, at("10:20"))


def test_when_the_day_is_full_nobody_joins(walk_in, hours, visit_type):
    for clock in ("10:00", "10:20", "10:40", "11:00", "11:20", "11:40"):
        factories.make_visit(hours, visit_type=visit_type, start=at(clock))

    with pytest.raises(services.NobodyFree):
        walk_in()


@pytest.mark.parametrize("clock", ["00:00", "09:00"])
def test_who_had_the_fewest_today_comes_first(walk_in, clinic, hours, clock):
    colleague = factories.make_practitioner(clinic, name="Aaa")
    factories.make_hours(colleague, 1)
    factories.make_visit(colleague, start=at(clock))

    assert walk_in().practitioner == hours


def test_who_is_not_at_work_offers_no_such_visit_or_has_one_soon_does_not_count(walk_in, clinic, hours, visit_type):
    factories.make_hours(factories.make_practitioner(clinic), 1, "13:00", "17:00")
    busy = factories.make_practitioner(clinic)
    factories.make_hours(busy, 1)
    factories.make_visit(busy, start=at("10:20"))
    elsewhere = factories.make_practitioner(clinic)
    factories.make_hours(elsewhere, 1)
    visit_type.practitioners.set([hours, busy])

    first, second = walk_in(), walk_in(patient=factories.make_patient(clinic))
    assert (first.practitioner, first.start) == (hours, at("10:07"))
    assert (second.practitioner in {hours, busy}, second.start) == (True, at("10:40"))


def test_a_visit_ends_within_the_hours(walk_in, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at("11:45"))

    with pytest.raises(services.NobodyFree):
        walk_in()


@pytest.mark.parametrize("has_opening_hours", [False, True])
def test_in_a_night_clinic_a_visit_may_begin_before_midnight_and_end_after_it(
    walk_in, clinic, hours, monkeypatch, has_opening_hours
):
    for weekday, start, end in ((1, "20:00", "00:00"), (2, "00:00", "06:00")):
        row = factories.make_hours(hours, weekday, start, end)
        if has_opening_hours:
            OpeningHours.objects.create(
                clinic=clinic, weekday=weekday, start_time=row.start_time, end_time=row.end_time
            )
    monkeypatch.setattr(timezone, "now", lambda: at("23:59"))

    visit = walk_in()

    assert (visit.start, visit.end) == (at("23:59"), at("23:59") + timedelta(minutes=20))


def test_who_stops_at_midnight_begins_no_visit_that_goes_over_it(walk_in, hours, monkeypatch):
    factories.make_hours(hours, 1, "20:00", "00:00")
    monkeypatch.setattr(timezone, "now", lambda: at("23:41"))
    with pytest.raises(services.NobodyFree):
        walk_in()

    monkeypatch.setattr(timezone, "now", lambda: at("23:40"))
    assert walk_in().end == at("00:00", TUESDAY + timedelta(days=1))


def test_while_the_clinic_is_closed_or_wants_none_nobody_comes(walk_in, clinic):
    opening = OpeningHours.objects.create(
        clinic=clinic, weekday=1, start_time=datetime(2026, 1, 1, 12).time(), end_time=datetime(2026, 1, 1, 13).time()
    )
    with pytest.raises(services.Closed):
        walk_in()

    opening.delete()
    SchedulePolicy.objects.update(walk_ins=False)
    with pytest.raises(services.Closed):
        walk_in()


def test_a_patient_who_has_a_visit_now_is_busy(walk_in, clinic, patient):
    other = factories.make_visit(factories.make_practitioner(clinic), patient=patient, start=at("10:00"))

    with pytest.raises(services.PatientBusy) as refusal:
        walk_in()
    assert refusal.value.visit == other


def test_a_stranger_and_other_roles(walk_in, stranger, auditor, other_clinic):
    with pytest.raises(Http404):
        walk_in(principal=staff(stranger))
    with pytest.raises(Http404):
        walk_in(patient=factories.make_patient(other_clinic))
    with pytest.raises(PermissionDenied):
        walk_in(principal=staff(auditor))
    assert not Appointment.objects.exists()


def test_now_is_the_clinics_clock(walk_in):
    assert walk_in().start.astimezone(CHICAGO).hour == 10


# --- with one clinician, and for somebody new -----------------------------------------------------


def test_it_can_be_with_the_clinician_who_was_asked_for(walk_in, clinic, hours):
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1)

    assert walk_in(practitioner=colleague).practitioner == colleague


def test_who_comes_to_work_later_today_can_be_waited_for_and_who_does_not_come_cannot(walk_in, clinic, hours):
    later, off = factories.make_practitioner(clinic), factories.make_practitioner(clinic)
    factories.make_hours(later, 1, "13:00", "17:00")
    factories.make_hours(off, 2)

    with pytest.raises(services.NobodyFree):
        walk_in(practitioner=off)
    assert walk_in(practitioner=later).start == at("13:00")


def test_a_clinician_of_another_clinic_is_not_to_be_had(walk_in, other_clinic):
    with pytest.raises(Http404):
        walk_in(practitioner=factories.make_practitioner(other_clinic))


@pytest.mark.parametrize("clock", ["07:00", "10:30"])
def test_who_is_in_line_already_gets_no_second_place(walk_in, clinic, patient, clock):
    waits = factories.make_visit(
        factories.make_practitioner(clinic), patient=patient, start=at(clock), status=Appointment.Status.ARRIVED
    )

    with pytest.raises(services.PatientBusy) as refusal:
        walk_in()
    assert refusal.value.visit == waits


def test_who_was_left_in_line_yesterday_may_come(walk_in, clinic, patient):
    factories.make_visit(
        factories.make_practitioner(clinic), patient=patient, start=at("04:00"), status=Appointment.Status.ARRIVED
    )

    assert walk_in().patient == patient


@pytest.fixture
def new_walk_in(walk_in, front_desk, visit_type):
    def call(**changes) -> Appointment:
        asked = {"principal": staff(front_desk), "details": NEW, "visit_type": visit_type}
        return services.walk_in_new_patient(**asked | changes)

    return call


def test_somebody_new_is_added_with_the_visit_and_sent_twice_only_once(new_walk_in):
    first, second = new_walk_in(), new_walk_in()

    assert first == second
    assert (first.patient.full_name, first.origin) == ("Halima Yusuf", "walk-in")
    assert Patient.objects.filter(given_name="Halima").count() == 1


def test_when_nobody_is_free_nobody_is_added(new_walk_in, hours):
    Availability.objects.update(end_time="10:20")
    factories.make_visit(hours, start=at("10:00"))

    with pytest.raises(services.NobodyFree):
        new_walk_in()
    assert not Patient.objects.filter(given_name="Halima").exists()


def test_who_may_be_known_already_is_asked_about(new_walk_in, clinic):
    known = factories.make_patient(clinic, given_name="Halima", family_name="Yusuf", birth_date=NEW.birth_date)

    with pytest.raises(services.AlreadyKnown) as refusal:
        new_walk_in()
    assert refusal.value.patients == [known]
    assert new_walk_in(despite_same=True).patient != known


def test_who_may_not_book_adds_nobody(new_walk_in, auditor):
    with pytest.raises(PermissionDenied):
        new_walk_in(principal=staff(auditor))
