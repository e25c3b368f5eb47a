"""Recurring visits: shown before anything is saved, booked all or none."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from tests import factories
from tests.booking.conftest import CHICAGO, TUESDAY, at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment, AppointmentSeries
from visits.booking.services.series import InTheWay
from visits.schedule.models import ScheduleException

pytestmark = pytest.mark.django_db

WEEK = timedelta(days=7)


@pytest.fixture
def series(hours, visit_type, patient):
    """``series()``: four Tuesdays at ten, looked at; keywords change one thing."""

    def call(**changes):
        return services.series_starts(
            **{
                "practitioner": hours,
                "visit_type": visit_type,
                "patient": patient,
                "first": at("10:00"),
                "weeks": 1,
                "count": 4,
            }
            | changes
        )

    return call


@pytest.fixture
def book_series(front_desk, hours, visit_type, patient):
    def call(**changes):
        return services.book_series(
            **{
                "principal": staff(front_desk),
                "practitioner": hours,
                "visit_type": visit_type,
                "patient": patient,
                "starts": [at("10:00"), at("10:00", TUESDAY + WEEK), at("10:20", TUESDAY + 2 * WEEK)],
                "weeks": 1,
            }
            | changes
        )

    return call


def test_every_second_week_at_the_same_time_of_day(series):
    found = series(weeks=2, count=3)

    assert [one.start for one in found] == [at("10:00", TUESDAY + n * WEEK) for n in (0, 2, 4)]
    assert all(one.problem is None and one.instead is None for one in found)


@pytest.mark.parametrize("zone", ["America/Chicago", "Europe/Berlin", "Australia/Lord_Howe"])
def test_the_time_of_day_stays_when_clocks_change(series, clinic, zone):
    clinic.time_zone = zone
    clinic.save()
    first = datetime.combine(TUESDAY, time(10), tzinfo=ZoneInfo(zone))

    found = series(first=first, count=40)  # weeks: in as many clocks change

    assert {one.start.astimezone(ZoneInfo(zone)).strftime("%a %H:%M") for one in found} == {"Tue 10:00"}
    assert len({one.start.astimezone(ZoneInfo(zone)).utcoffset() for one in found}) == 2
    assert not [one for one in found if one.problem]


def next_gap() -> datetime:
    """Twenty past two on the next Sunday, but this one, on which Chicago has no such time."""
    sundays = (datetime.combine(TUESDAY + timedelta(days=5 + 7 * n), time(2, 20), tzinfo=CHICAGO) for n in range(1, 60))
    return next(one for one in sundays if one.astimezone(UTC).astimezone(CHICAGO).time() != time(2, 20))


def test_a_time_that_does_not_exist_that_day_is_none(series, hours):
    factories.make_hours(hours, 6, "00:00", "06:00")

    found = series(first=next_gap() - WEEK, count=3)

    assert [one.problem for one in found] == [None, InTheWay.NOT_AVAILABLE, None]
    assert found[1].instead is not None


def test_what_is_in_the_way_is_named_with_the_nearest_free_time(series, book, clinic, hours):
    book(patient=factories.make_patient(clinic), start=at("10:00", TUESDAY + WEEK))
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1)
    book(practitioner=colleague, start=at("10:00", TUESDAY + 2 * WEEK))
    off = TUESDAY + 3 * WEEK
    ScheduleException.objects.create(clinic=clinic, practitioner=hours, kind="off", first_day=off, last_day=off)

    found = series()

    assert [one.problem for one in found] == [
        None, InTheWay.TAKEN, InTheWay.PATIENT_BUSY, InTheWay.NOT_AVAILABLE,
    ]  # fmt: skip
    days = [one.instead.start.astimezone(CHICAGO).date() if one.instead else None for one in found]
    assert days == [None, TUESDAY + WEEK, TUESDAY + 2 * WEEK, off - timedelta(days=1)]
    assert abs(found[1].instead.start - found[1].start) == timedelta(minutes=20)
    assert not AppointmentSeries.objects.exists()


def test_what_one_holds_oneself_is_not_in_the_way(series, front_desk, hours, visit_type):
    held = services.hold(principal=staff(front_desk), practitioner=hours, visit_type=visit_type, start=at("10:00"))

    assert series()[0].problem == InTheWay.TAKEN
    assert series(hold=held)[0].problem is None


def test_the_visits_of_a_series_belong_together(book_series):
    visits = book_series()

    (series,) = AppointmentSeries.objects.all()
    assert (series.weeks, series.count) == (1, 3)
    assert list(series.appointments.all()) == visits
    assert [visit.changes.get().change for visit in visits] == ["booked"] * 3


def test_the_same_series_sent_twice_is_one(book_series):
    assert book_series() == book_series()
    assert (Appointment.objects.count(), AppointmentSeries.objects.count()) == (3, 1)


def test_when_one_cannot_be_booked_none_is(book_series, book, clinic):
    book(patient=factories.make_patient(clinic), start=at("10:20", TUESDAY + 2 * WEEK))

    with pytest.raises(services.SlotTaken) as refusal:
        book_series()

    assert refusal.value.start == at("10:20", TUESDAY + 2 * WEEK)
    assert (Appointment.objects.count(), AppointmentSeries.objects.count()) == (1, 0)


@pytest.mark.parametrize(("weeks", "count"), [(0, 4), (13, 4), (1, 1), (1, 53)])
def test_the_database_refuses_what_is_no_series(clinic, weeks, count):
    with pytest.raises(IntegrityError), transaction.atomic():
        AppointmentSeries.objects.create(clinic=clinic, weeks=weeks, count=count)


def test_a_new_patient_gets_a_series_once(front_desk, hours, visit_type):
    from visits.booking.patients import Details

    def send():
        return services.book_new_patient(
            principal=staff(front_desk),
            practitioner=hours,
            visit_type=visit_type,
            start=at("10:00"),
            details=Details(given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30)),
            later=[at("10:00", TUESDAY + WEEK)],
            weeks=1,
        )

    assert send() == send()
    assert Appointment.objects.count() == 2
    assert AppointmentSeries.objects.get().count == 2
