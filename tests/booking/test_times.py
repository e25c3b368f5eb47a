"""Free times from what is in the database: rules, exceptions, visits, holds; of one clinician and of any."""

from datetime import date, time, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.booking.conftest import CHICAGO, TUESDAY, at
from visits.booking.models import Appointment
from visits.booking.times import first_free, free_slots, free_slots_of_any, is_slot, nearest_free, times
from visits.schedule.models import OpeningHours, ScheduleException, SchedulePolicy, VisitType

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def walls(slots) -> list[str]:
    return [f"{slot.start.astimezone(CHICAGO):%H:%M}" for slot in slots]


@pytest.fixture
def visit_type(clinic):
    return factories.make_visit_type(clinic, name="Long", minutes=60)


@pytest.fixture
def on_tuesday(hours, visit_type):
    """``on_tuesday()``: what is free next Tuesday, where nine to noon are hours."""

    def call(**changes) -> list[str]:
        asked = {"practitioner": hours, "visit_type": visit_type, "first_day": TUESDAY, "last_day": TUESDAY}
        return walls(free_slots(**asked | changes))

    return call


def off(clinic, practitioner=None, start=None, end=None, kind="off") -> ScheduleException:
    return ScheduleException.objects.create(
        clinic=clinic,
        practitioner=practitioner,
        kind=kind,
        first_day=TUESDAY,
        last_day=TUESDAY,
        start_time=start and time.fromisoformat(start),
        end_time=end and time.fromisoformat(end),
    )


# --- rules ------------------------------------------------------------------------------------


def test_weekly_hours_make_times(on_tuesday):
    assert on_tuesday() == ["09:00", "10:00", "11:00"]


def test_hours_for_some_visits_are_for_no_others(on_tuesday, hours, clinic, visit_type):
    only = factories.make_hours(hours, 1, "14:00", "16:00")
    only.visit_types.add(factories.make_visit_type(clinic))
    assert on_tuesday() == ["09:00", "10:00", "11:00"]

    only.visit_types.add(visit_type)
    assert on_tuesday() == ["09:00", "10:00", "11:00", "14:00", "15:00"]


def test_who_does_not_offer_a_visit_has_no_times_for_it_not_even_in_extra_hours(on_tuesday, hours, clinic, visit_type):
    off(clinic, hours, "14:00", "15:00", kind="extra")
    visit_type.practitioners.add(factories.make_practitioner(clinic))
    assert on_tuesday() == []

    visit_type.practitioners.add(hours)
    assert on_tuesday() == ["09:00", "10:00", "11:00", "14:00"]


def test_time_off_of_the_clinician_or_the_clinic_and_of_nobody_else(on_tuesday, hours, clinic, other_clinic):
    off(clinic, factories.make_practitioner(clinic))
    off(other_clinic)
    assert on_tuesday() == ["09:00", "10:00", "11:00"]

    off(clinic, hours, "10:00", "10:30")
    assert on_tuesday() == ["09:00", "10:30"]

    off(clinic)
    assert on_tuesday() == []


def test_time_off_over_several_days(on_tuesday, hours, clinic):
    away = off(clinic, hours)
    away.first_day, away.last_day = TUESDAY - 30 * DAY, TUESDAY - DAY
    away.save()
    assert on_tuesday() == ["09:00", "10:00", "11:00"]

    away.last_day += 60 * DAY
    away.save()
    assert on_tuesday() == []


def test_the_clinics_opening_hours_bound_the_weekly_ones(on_tuesday, clinic):
    OpeningHours.objects.create(clinic=clinic, weekday=1, start_time=time(10), end_time=time(20))
    assert on_tuesday() == ["10:00", "11:00"]

    OpeningHours.objects.update(weekday=2)
    assert on_tuesday() == []


def test_hours_until_midnight_and_from_it_are_one_stretch(hours, visit_type):
    for weekday, start, end in ((1, "20:30", "00:00"), (2, "00:00", "02:30")):
        factories.make_hours(hours, weekday, start, end)
    over = at("23:30", TUESDAY)
    asked = {"practitioner": hours, "visit_type": visit_type, "first_day": TUESDAY, "last_day": TUESDAY + DAY}

    found = free_slots(**asked)

    assert walls(found)[3:9] == ["20:30", "21:30", "22:30", "23:30", "00:30", "01:30"]
    assert is_slot(practitioner=hours, visit_type=visit_type, start=over)
    assert is_slot(practitioner=hours, visit_type=visit_type, start=over + 60 * MINUTE)
    assert not is_slot(practitioner=hours, visit_type=visit_type, start=over + 30 * MINUTE)
    factories.make_visit(hours, visit_type=visit_type, start=over)
    assert "23:30" not in walls(free_slots(**asked))
    # Time off from midnight on takes what would lie over it.
    ScheduleException.objects.create(clinic=hours.clinic, kind="off", first_day=TUESDAY + DAY, last_day=TUESDAY + DAY)
    assert walls(free_slots(**asked))[3:] == ["20:30", "21:30", "22:30"]


def test_public_holidays_close_and_extra_hours_open(hours, clinic, visit_type):
    christmas = date(TUESDAY.year, 12, 25)
    asked = {"practitioner": hours, "visit_type": visit_type, "first_day": christmas, "last_day": christmas}
    asked |= {"now": at("09:00", christmas - DAY)}
    factories.make_hours(hours, christmas.weekday(), "09:00", "10:00")
    factories.make_hours(hours, christmas.weekday(), "10:00", "11:00")
    assert walls(free_slots(**asked))[:2] == ["09:00", "10:00"]

    SchedulePolicy.objects.create(clinic=clinic, holiday_region="US-TX")
    assert walls(free_slots(**asked)) == []

    extra = off(clinic, hours, "20:00", "21:00", kind="extra")
    ScheduleException.objects.filter(pk=extra.pk).update(first_day=christmas, last_day=christmas)
    assert walls(free_slots(**asked)) == ["20:00"]


def test_time_off_wins_over_extra_hours_and_these_over_opening_hours(on_tuesday, hours, clinic):
    OpeningHours.objects.create(clinic=clinic, weekday=1, start_time=time(9), end_time=time(10))
    off(clinic, hours, "14:00", "17:00", kind="extra")
    assert on_tuesday() == ["09:00", "14:00", "15:00", "16:00"]

    off(clinic, None, "15:00", "16:00")
    assert on_tuesday() == ["09:00", "14:00", "16:00"]


# --- what is taken ----------------------------------------------------------------------------


def test_visits_take_their_time_with_what_is_kept_free_around_them(on_tuesday, hours, clinic):
    short = factories.make_visit_type(clinic, minutes=10, buffer_before=15, buffer_after=45)

    factories.make_visit(hours, visit_type=short, start=at("10:15"))

    assert on_tuesday() == ["09:00"]  # busy from ten to 11:10


def test_the_visit_that_is_looked_for_keeps_its_own_distance(on_tuesday, hours, clinic, visit_type):
    VisitType.objects.update(buffer_before=5, buffer_after=10)
    visit_type.refresh_from_db()
    assert on_tuesday() == ["09:00", "10:15"]

    plain = factories.make_visit_type(clinic, minutes=10)
    factories.make_visit(hours, visit_type=plain, start=at("11:24"))
    assert on_tuesday() == ["09:00"]

    Appointment.objects.update(start=at("11:25"), end=at("11:35"), busy_start=at("11:25"), busy_end=at("11:35"))
    assert on_tuesday() == ["09:00", "10:15"]


@pytest.mark.parametrize("status", Appointment.Status.values)
def test_only_active_visits_take_time(on_tuesday, hours, status):
    factories.make_visit(hours, start=at("10:00"), status=status)

    assert on_tuesday() == (["09:00", "11:00"] if status in Appointment.ACTIVE else ["09:00", "10:00", "11:00"])


def test_a_hold_takes_its_time_until_it_expires(on_tuesday, hours, visit_type):
    held = factories.make_hold(hours, visit_type, at("10:00"))
    assert on_tuesday() == ["09:00", "11:00"]
    assert on_tuesday(now=held.expires_at) == ["09:00", "10:00", "11:00"]


def test_the_longest_visit_with_the_most_around_it_is_seen_from_the_next_day(hours, clinic, visit_type):
    longest = factories.make_visit_type(clinic, minutes=480, buffer_before=120, buffer_after=120)
    factories.make_visit(hours, visit_type=longest, start=at("16:00"))
    factories.make_hours(hours, 2, "00:00", "03:00")
    wednesday = TUESDAY + DAY

    free = free_slots(practitioner=hours, visit_type=visit_type, first_day=wednesday, last_day=wednesday)

    assert walls(free)[:2] == ["02:00", "09:00"]


def test_ones_own_time_counts_as_free(on_tuesday, hours, visit_type):
    visit = factories.make_visit(hours, visit_type=visit_type, start=at("09:00"))
    held = factories.make_hold(hours, visit_type, at("10:00"))
    assert on_tuesday() == ["11:00"]
    assert on_tuesday(instead_of=visit) == ["09:00", "11:00"]
    assert on_tuesday(instead_of=held) == ["10:00", "11:00"]


def test_all_times_to_come_stay_in_the_list_beside_the_free_ones(hours, visit_type):
    factories.make_visit(hours, start=at("10:00"))

    found = times(practitioner=hours, visit_type=visit_type, first_day=TUESDAY, last_day=TUESDAY, now=at("09:01"))

    assert walls(found.all) == ["10:00", "11:00"]
    assert walls(found.free) == ["11:00"]


# --- patients ---------------------------------------------------------------------------------


def test_notice_and_days_ahead_bind_patients_only(on_tuesday, visit_type):
    visit_type.minimum_notice, visit_type.horizon_days = 90, 1
    assert on_tuesday(now=at("09:00")) == ["09:00", "10:00", "11:00"]
    assert on_tuesday(now=at("09:00"), for_patient=True) == ["11:00"]
    assert on_tuesday(now=at("08:30"), for_patient=True) == ["10:00", "11:00"]
    assert on_tuesday(now=at("00:00", TUESDAY - DAY), for_patient=True) == ["09:00", "10:00", "11:00"]
    assert on_tuesday(now=at("23:59", TUESDAY - 2 * DAY), for_patient=True) == []


@pytest.mark.parametrize(
    ("now", "is_bound"), [("08:29", False), ("08:30", False), ("08:31", True)], ids=["early", "just", "late"]
)
def test_is_slot_knows_the_patients_notice(hours, visit_type, now, is_bound):
    visit_type.minimum_notice = 90
    asked = {"practitioner": hours, "visit_type": visit_type, "start": at("10:00"), "now": at(now)}

    assert is_slot(**asked)
    assert is_slot(**asked, for_patient=True) is not is_bound


# --- one time ---------------------------------------------------------------------------------


def test_a_slot_is_only_what_the_rules_make(hours, clinic, visit_type):
    def check(clock: str) -> bool:
        return is_slot(practitioner=hours, visit_type=visit_type, start=at(clock))

    assert [clock for clock in ("08:00", "09:00", "09:30", "11:00", "11:30", "12:00") if check(clock)] == [
        "09:00",
        "11:00",
    ]

    factories.make_visit(hours, start=at("09:00"))
    assert check("09:00")  # taken, but a slot

    off(clinic, hours, "11:30", "12:00")
    assert not check("11:00")


def test_the_nearest_and_the_first_free_one(hours, visit_type):
    factories.make_visit(hours, start=at("10:00"))

    assert walls(nearest_free(practitioner=hours, visit_type=visit_type, wanted=at("10:00"), count=2)) == [
        "09:00",
        "11:00",
    ]
    first = first_free(practitioner=hours, visit_type=visit_type, after=TUESDAY, now=at("09:01"))
    assert first is not None
    assert walls([first]) == ["11:00"]


# --- any clinician ----------------------------------------------------------------------------


@pytest.fixture
def colleague(clinic):
    """Ten to noon on Tuesdays."""
    colleague = factories.make_practitioner(clinic, name="Zoe Colleague")
    factories.make_hours(colleague, 1, "10:00", "12:00")
    return colleague


@pytest.fixture
def anybody(clinic, visit_type, hours, colleague):
    """``anybody()``: who is free when, next Tuesday."""

    def call(**changes) -> list[tuple[str, list[str]]]:
        asked = {"clinic": clinic, "visit_type": visit_type, "first_day": TUESDAY, "last_day": TUESDAY}
        found = free_slots_of_any(**asked | {"for_patient": False} | changes)
        return [(*walls([slot]), [one.name.split()[-1] for one in whom]) for slot, whom in found]

    return call


def test_the_earliest_comes_first_and_then_who_has_fewest_visits_that_week(anybody, hours, colleague):
    assert anybody() == [("09:00", ["Okafor"]), ("10:00", ["Okafor", "Colleague"]), ("11:00", ["Okafor", "Colleague"])]

    factories.make_visit(hours, start=at("12:00", TUESDAY + 2 * DAY))
    assert anybody()[1:] == [("10:00", ["Colleague", "Okafor"]), ("11:00", ["Colleague", "Okafor"])]

    factories.make_visit(colleague, start=at("11:00"))
    assert anybody()[1:] == [("10:00", ["Okafor", "Colleague"]), ("11:00", ["Okafor"])]


def test_visits_of_other_weeks_and_those_that_are_off_do_not_count(anybody, hours):
    factories.make_visit(hours, start=at("12:00", TUESDAY - 2 * DAY))
    factories.make_visit(hours, start=at("12:00", TUESDAY + 6 * DAY))
    factories.make_visit(hours, start=at("12:00"), status=Appointment.Status.CANCELLED)

    assert anybody()[1] == ("10:00", ["Okafor", "Colleague"])


def test_each_has_their_own_rules_visits_and_holds(anybody, clinic, hours, colleague, visit_type):
    factories.make_visit(hours, start=at("10:00"))
    factories.make_hold(colleague, visit_type, at("11:00"))
    off(clinic, hours, "08:00", "10:00")

    assert anybody() == [("10:00", ["Colleague"]), ("11:00", ["Okafor"])]


def test_only_who_offers_the_visit_and_takes_visits(anybody, hours, colleague, visit_type):
    visit_type.practitioners.set([colleague])
    assert anybody() == [("10:00", ["Colleague"]), ("11:00", ["Colleague"])]

    visit_type.practitioners.clear()
    colleague.is_active = False
    colleague.save()
    assert anybody() == [("09:00", ["Okafor"]), ("10:00", ["Okafor"]), ("11:00", ["Okafor"])]


def test_any_clinician_for_a_patient(anybody, visit_type):
    visit_type.minimum_notice = 60

    assert anybody(for_patient=True, now=at("09:30")) == [("11:00", ["Okafor", "Colleague"])]


def test_another_clinics_people_and_visits_play_no_part(anybody, other_clinic):
    theirs = factories.make_practitioner(other_clinic)
    factories.make_hours(theirs, 1)
    factories.make_visit(theirs, start=at("10:00"))

    assert anybody()[0] == ("09:00", ["Okafor"])
    assert len(anybody()) == 3


# --- cost -------------------------------------------------------------------------------------


def fill(practitioner, days: int) -> None:
    for n in range(days):
        factories.make_visit(practitioner, start=at("10:00", TUESDAY + n * DAY))
        off(practitioner.clinic, practitioner, "08:00", "08:30")


def test_the_queries_are_as_many_for_a_day_as_for_a_year(hours, visit_type, django_assert_num_queries):
    asked = {"practitioner": hours, "visit_type": visit_type, "first_day": TUESDAY}
    with django_assert_num_queries(6):
        free_slots(**asked, last_day=TUESDAY)

    fill(hours, 5)
    with django_assert_num_queries(6):
        free_slots(**asked, last_day=TUESDAY + 365 * DAY)


def test_the_queries_are_as_many_for_one_clinician_as_for_twelve(clinic, anybody, hours, django_assert_num_queries):
    with django_assert_num_queries(8):
        anybody()

    for _ in range(10):
        one = factories.make_practitioner(clinic)
        factories.make_hours(one, 1)
        fill(one, 2)
    with django_assert_num_queries(8):
        anybody(last_day=TUESDAY + 27 * DAY)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL reads small tables whole, which is quicker")
def test_the_history_is_not_read_through(hours, visit_type):
    with CaptureQueriesContext(connection) as asked:
        free_slots(practitioner=hours, visit_type=visit_type, first_day=TUESDAY, last_day=TUESDAY)

    (of_visits,) = (query["sql"] for query in asked if 'FROM "booking_appointment"' in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {of_visits}")
        plan = " ".join(str(row) for row in cursor)
    assert "appointment_by_practitioner (practitioner_id=? AND start>? AND start<?)" in plan
