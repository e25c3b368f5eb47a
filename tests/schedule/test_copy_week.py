"""A week's time off and extra hours copied into other weeks."""

from datetime import date, time, timedelta

import pytest
from django.http import Http404
from django.urls import reverse

from accounts.models import AuditEvent
from accounts.policy import Role
from tests import factories
from tests.conftest import staff
from tests.threads import at_once
from visits.schedule.models import ScheduleException
from visits.schedule.services import copy_week

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 11, 23)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def add(practitioner, first: date, last: date | None = None, **fields) -> ScheduleException:
    defaults = {"clinic": practitioner.clinic, "practitioner": practitioner, "kind": "off", "first_day": first}
    return ScheduleException.objects.create(**defaults | {"last_day": last or first} | fields)


def days(practitioner) -> list[tuple[str, int, int]]:
    """Kind, first and last day of each exception, counted from the Monday."""
    return [
        (row.kind, (row.first_day - MONDAY).days, (row.last_day - MONDAY).days)
        for row in practitioner.schedule_exceptions.order_by("first_day", "kind")
    ]


@pytest.fixture
def copy(clinic_admin, practitioner):
    """``copy()``: the clinic's admin copies the week into the next two."""

    def call(**changes):
        asked = {"principal": staff(clinic_admin), "practitioner": practitioner, "from_monday": MONDAY}
        return copy_week(**asked | {"to_mondays": [MONDAY + WEEK, MONDAY + 2 * WEEK]} | changes)

    return call


def test_time_off_and_extra_hours_come_to_the_same_weekdays_and_times(copy, practitioner):
    add(practitioner, MONDAY + DAY, note="Course")
    add(practitioner, MONDAY + 4 * DAY, kind="extra", start_time=time(18), end_time=time(20))

    assert len(copy()) == 4

    assert days(practitioner)[2:] == [("off", 8, 8), ("extra", 11, 11), ("off", 15, 15), ("extra", 18, 18)]
    last = practitioner.schedule_exceptions.latest("first_day")
    assert (last.start_time, last.end_time) == (time(18), time(20))
    assert set(ScheduleException.objects.filter(kind="off").values_list("note", flat=True)) == {"Course"}


def test_copying_again_changes_nothing(copy, practitioner):
    add(practitioner, MONDAY)
    copy()

    assert copy() == []
    assert len(days(practitioner)) == 3


def test_what_is_there_stays_and_is_not_doubled_even_as_part_of_more(copy, practitioner):
    add(practitioner, MONDAY, MONDAY + 6 * DAY)
    add(practitioner, MONDAY + WEEK, MONDAY + 2 * WEEK)

    copy()

    assert days(practitioner) == [("off", 0, 6), ("off", 7, 14), ("off", 14, 20)]


def test_of_what_goes_beyond_the_week_its_days_in_the_week_are_copied(copy, practitioner):
    add(practitioner, MONDAY - 10 * DAY, MONDAY + DAY)

    copy(to_mondays=[MONDAY + WEEK])

    assert days(practitioner) == [("off", -10, 1), ("off", 7, 8)]


def test_a_week_into_itself_and_into_the_past(copy, practitioner):
    add(practitioner, MONDAY)

    assert copy(to_mondays=[MONDAY]) == []
    assert copy(to_mondays=[]) == []
    copy(to_mondays=[MONDAY - WEEK])
    assert days(practitioner) == [("off", -7, -7), ("off", 0, 0)]


def test_only_this_clinicians_own_exceptions(copy, practitioner, clinic):
    add(factories.make_practitioner(clinic), MONDAY)
    ScheduleException.objects.create(clinic=clinic, kind="off", first_day=MONDAY, last_day=MONDAY)

    assert copy() == []


def test_it_is_on_the_trail_once(copy, practitioner, clinic_admin):
    add(practitioner, MONDAY)

    copy()

    event = AuditEvent.objects.get(subtype="schedule.copy-week")
    assert event.user == clinic_admin
    assert event.entity_id == str(practitioner.pk)
    assert event.detail == {"from": "2026-11-23", "to": ["2026-11-30", "2026-12-07"], "added": 2}


def test_weeks_begin_on_mondays(copy):
    with pytest.raises(ValueError, match="Monday"):
        copy(from_monday=MONDAY + DAY)
    with pytest.raises(ValueError, match="Monday"):
        copy(to_mondays=[MONDAY + DAY])


def test_clinicians_copy_their_own_weeks_only(copy, practitioner, clinician, clinic):
    add(practitioner, MONDAY)
    assert len(copy(principal=staff(clinician))) == 2

    with pytest.raises(Http404):
        copy(principal=staff(clinician), practitioner=factories.make_practitioner(clinic))


def test_strangers_and_who_only_reads_copy_nothing(copy, practitioner, stranger, auditor, other_clinic):
    add(practitioner, MONDAY)

    for user in (stranger, auditor, factories.make_member(other_clinic, Role.CLINIC_ADMIN)):
        with pytest.raises(Http404):
            copy(principal=staff(user))
    assert len(days(practitioner)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_copies_at_once_add_nothing_twice(copy, practitioner):
    add(practitioner, MONDAY)

    at_once([copy, copy])

    assert len(days(practitioner)) == 3


# --- the admin's page -------------------------------------------------------------------------

PAGE = "/admin/schedule/scheduleexception/copy-week/"


@pytest.fixture
def form(practitioner):
    return {"practitioner": practitioner.pk, "week": "2026-11-25", "first": "2026-12-01", "last": "2026-12-08"}


def test_the_page_copies_by_any_day_of_the_weeks(verified, clinic_admin, practitioner, form):
    add(practitioner, MONDAY)
    admin = verified(clinic_admin)
    assert PAGE in admin.get(reverse("admin:schedule_scheduleexception_changelist")).content.decode()

    answer = admin.post(PAGE, form, follow=True)

    assert "2 entries added." in answer.content.decode()
    assert days(practitioner) == [("off", 0, 0), ("off", 7, 7), ("off", 14, 14)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"last": "2026-11-20"}, "The last week is before the first."),
        ({"last": "2028-01-01"}, "At most 53 weeks at once."),
        ({"week": "soon"}, "Enter a valid date."),
        ({"practitioner": ""}, "This field is required."),
        ({"week": "9999-12-31"}, "Choose a day from 2000 to 2199."),
        ({"week": "0001-01-01"}, "Choose a day from 2000 to 2199."),
    ],
)
def test_what_makes_no_sense_is_said_and_what_was_typed_stays(verified, clinic_admin, form, changes, words):
    answer = verified(clinic_admin).post(PAGE, form | changes).content.decode()

    assert words in answer
    assert 'value="2026-12-01"' in answer


def test_the_summary_says_which_fields_are_empty(verified, clinic_admin):
    page = verified(clinic_admin).post(PAGE, {"week": ""}).content.decode()

    assert '<a href="#id_practitioner">Clinician: This field is required.</a>' in page
    assert '<a href="#id_week">Week to copy: This field is required.</a>' in page


def test_another_clinics_clinician_is_not_on_the_page(verified, clinic_admin, other_clinic, form):
    theirs = factories.make_practitioner(other_clinic, name="Dr. Zelda")
    add(theirs, MONDAY)
    admin = verified(clinic_admin)

    assert "Zelda" not in admin.get(PAGE).content.decode()
    assert admin.post(PAGE, form | {"practitioner": theirs.pk}).status_code == 200
    assert len(days(theirs)) == 1


def test_the_page_is_for_the_clinics_admin_alone(client, verified, password_only, clinic, clinic_admin):
    assert client.get(PAGE).status_code == 302
    assert password_only(clinic_admin).get(PAGE).status_code == 302
    for role in (Role.CLINICIAN, Role.FRONT_DESK, Role.AUDITOR):
        assert verified(factories.make_member(clinic, role, is_staff=True)).get(PAGE).status_code == 403
    root = factories.make_user(is_staff=True, is_superuser=True)  # of no clinic
    assert verified(root).get(PAGE).status_code == 403
