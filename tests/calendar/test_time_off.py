"""Time off and extra hours from the calendar: who may, what is checked, what is on the trail."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.http import Http404
from django.test import Client

from accounts.models import AuditEvent, Practitioner, User
from tests import factories
from tests.calendar.conftest import TUESDAY, at
from tests.conftest import staff
from tests.party import browser, make_link
from visits.calendar import time_off
from visits.schedule.models import ScheduleException

pytestmark = pytest.mark.django_db
NEW = "/calendar/time-off/"
DAY = timedelta(days=1)


@pytest.fixture
def form(hours: Practitioner) -> dict[str, str]:
    day = str(TUESDAY)
    empty = {"last_day": "", "start_time": "", "end_time": ""}
    return {"kind": "off", "practitioner": str(hours.pk), "first_day": day, "note": "Ward round", **empty}


@pytest.fixture
def row(hours: Practitioner) -> ScheduleException:
    return ScheduleException.objects.create(
        clinic=hours.clinic, practitioner=hours, kind="off", first_day=TUESDAY, last_day=TUESDAY
    )


def test_a_clinician_enters_time_off_of_their_own(verified: Any, clinician: User, form: dict[str, str]) -> None:
    client: Client = verified(clinician)
    page = client.get(NEW, {"day": str(TUESDAY)}).content.decode()
    assert "Days and times in Central Time (CT)" in page
    assert f'value="{TUESDAY}"' in page
    assert "Whole clinic" not in page.split("<main")[1]

    answer = client.post(NEW, form)

    row = ScheduleException.objects.get()
    assert (row.kind, row.first_day, row.last_day) == ("off", TUESDAY, TUESDAY)
    assert (row.start_time, row.note) == (None, "Ward round")
    assert answer["Location"] == f"/calendar/week/?day={TUESDAY}&who={row.practitioner_id}"
    event = AuditEvent.objects.get(subtype="schedule.except")
    assert (event.action, event.user, event.entity_id) == ("C", clinician, str(row.pk))
    assert "Ward" not in str(event.detail)


def test_extra_hours_open_times_that_can_be_booked(
    verified: Any, look: Any, clinician: User, form: dict[str, str]
) -> None:
    assert "Book 1:00 pm" not in look(clinician)

    verified(clinician).post(NEW, form | {"kind": "extra", "start_time": "13:00", "end_time": "14:00"})

    assert "Book 1:00 pm" in look(clinician)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "8:00 pm – midnight"), ("es", "8:00\u00a0p.\u00a0m. – medianoche")]
)
def test_extra_hours_until_midnight_are_said_as_people_say_it(
    verified: Any, look: Any, clinician: User, form: dict[str, str], language: str, words: str
) -> None:
    User.objects.update(language=language)

    verified(clinician).post(NEW, form | {"kind": "extra", "start_time": "20:00", "end_time": "00:00"})

    page = look(clinician, hours="all")
    assert words in page
    assert ScheduleException.objects.get().end_time == time()


def test_visits_that_lie_in_it_stay_booked_and_are_named(
    verified: Any, front_desk: User, form: dict[str, str], hours: Practitioner, patient: Any, visit_type: Any
) -> None:
    inside = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:20"))
    factories.make_visit(hours, start=at("11:20"), patient=factories.make_patient(hours.clinic, given_name="Nia"))

    page = verified(front_desk).post(NEW, form | {"start_time": "10:00", "end_time": "10:30"}).content.decode()

    assert "Saved. 1 visit lies in that time." in page
    assert f"/visits/{inside.pk}/" in page
    assert "Nia" not in page
    inside.refresh_from_db()
    assert inside.status == "booked"


@pytest.mark.parametrize(
    ("start_time", "end_time", "is_in_the_way"),
    [
        ("00:00", "00:30", True),
        ("23:00", "23:55", False),
        ("00:10", "09:00", False),
        ("00:05", "00:00", True),
        ("00:10", "00:00", False),
        (None, None, True),
    ],
)
def test_a_visit_over_midnight_lies_in_time_off_of_the_day_that_it_ends_on(
    hours: Practitioner, start_time: str | None, end_time: str | None, is_in_the_way: bool
) -> None:
    factories.make_visit(
        hours, visit_type=factories.make_visit_type(hours.clinic, minutes=20), start=at("23:50", TUESDAY - DAY)
    )
    off = ScheduleException(
        clinic=hours.clinic,
        practitioner=hours,
        kind="off",
        first_day=TUESDAY,
        last_day=TUESDAY,
        start_time=start_time and time.fromisoformat(start_time),
        end_time=end_time and time.fromisoformat(end_time),
    )

    assert bool(time_off.visits_in(off)) == is_in_the_way


def test_a_blank_form_never_begins_with_the_whole_clinic(verified: Any, front_desk: User, hours: Practitioner) -> None:
    page = verified(front_desk).get(NEW).content.decode()

    assert f'<option value="{hours.pk}" selected>' in page
    assert '<option value="off" selected>' in page
    assert "---" not in page


def test_the_front_desk_may_close_the_whole_clinic(
    verified: Any, look: Any, front_desk: User, clinician: User, form: dict[str, str]
) -> None:
    verified(front_desk).post(NEW, form | {"practitioner": ""})

    assert ScheduleException.objects.get().practitioner is None
    assert "Book 9:00 am" not in look(clinician).split(f'data-column="{TUESDAY}')[1].split("</section>")[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first_day": ""}, "Choose the first day."),
        ({"last_day": "2020-01-01"}, "The last day must not be before the first."),
        ({"start_time": "10:00"}, "Give both times, or none for whole days."),
        ({"start_time": "10:00", "end_time": "09:00"}, "The end must be after the start."),
        ({"kind": "extra"}, "Say from when to when there are extra hours."),
        ({"kind": "extra", "practitioner": "", "start_time": "10:00", "end_time": "11:00"}, "Choose whose extra hours"),
        ({"kind": "else"}, "Select a valid choice"),
        ({"last_day": "9999-12-31"}, "Choose a day from 2000 to 2199."),
        ({"first_day": "0001-01-01"}, "Choose a day from 2000 to 2199."),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_typed_is_lost(
    verified: Any, front_desk: User, form: dict[str, str], changes: dict[str, str], words: str
) -> None:
    page = verified(front_desk).post(NEW, form | changes).content.decode()

    assert words in page
    assert 'value="Ward round"' in page
    assert "<title>Problem: " in page
    assert not ScheduleException.objects.exists()


def test_it_is_changed_and_taken_back(verified: Any, clinician: User, row: ScheduleException, form: Any) -> None:
    client: Client = verified(clinician)
    where = f"{NEW}{row.pk}/"
    assert client.get(where).status_code == 200

    client.post(where, form | {"last_day": str(TUESDAY + timedelta(days=3))})
    row.refresh_from_db()
    assert (row.last_day, row.note) == (TUESDAY + timedelta(days=3), "Ward round")

    client.post(where, {"do": "remove"})
    assert not ScheduleException.objects.exists()
    assert [event.action for event in AuditEvent.objects.filter(subtype="schedule.except").order_by("pk")] == ["U", "D"]


def test_the_calendar_lists_it_with_a_way_to_change_it_for_who_may(
    look: Any, clinician: User, front_desk: User, clinic: Any, row: ScheduleException
) -> None:
    other = factories.make_practitioner(clinic)
    link = f"{NEW}{row.pk}/"

    assert link in look(clinician)
    assert link in look(front_desk, who="clinic")
    colleague = look(other.user, who=str(row.practitioner_id))
    assert "Time off" in colleague
    assert link not in colleague


def test_a_clinician_enters_nobody_elses(
    verified: Any, clinician: User, clinic: Any, hours: Practitioner, form: Any
) -> None:
    other = factories.make_practitioner(clinic)
    for who in (str(other.pk), ""):
        page = verified(clinician).post(NEW, form | {"practitioner": who}).content.decode()
        assert "There is a problem" in page
    assert not ScheduleException.objects.exists()

    theirs = ScheduleException(clinic=clinic, practitioner=other, kind="off", first_day=TUESDAY, last_day=TUESDAY)
    with pytest.raises(Http404):
        time_off.save(principal=staff(clinician), exception=theirs)
    theirs.save()
    assert verified(clinician).get(f"{NEW}{theirs.pk}/").status_code == 404
    assert verified(clinician).post(f"{NEW}{theirs.pk}/", {"do": "remove"}).status_code == 404
    own_now = ScheduleException.objects.get(pk=theirs.pk)
    own_now.practitioner = hours
    with pytest.raises(Http404):  # nor by making it one's own
        time_off.save(principal=staff(clinician), exception=own_now)


def test_another_clinics_does_not_exist(
    verified: Any, stranger: User, front_desk: User, other_clinic: Any, row: ScheduleException, form: Any
) -> None:
    where = f"{NEW}{row.pk}/"
    for method in ("get", "post"):
        assert getattr(verified(stranger), method)(where).status_code == 404
    theirs = factories.make_practitioner(other_clinic)
    page = verified(front_desk).post(NEW, form | {"practitioner": str(theirs.pk)}).content.decode()
    assert "There is a problem" in page
    foreign = ScheduleException(
        clinic=other_clinic, practitioner=theirs, kind="off", first_day=TUESDAY, last_day=TUESDAY
    )
    with pytest.raises(Http404):
        time_off.save(principal=staff(front_desk), exception=foreign)
    assert ScheduleException.objects.count() == 1


def test_who_may_not_come_in_changes_nothing(
    client: Client, verified: Any, password_only: Any, clinician: User, auditor: User, row: ScheduleException,
    patient: Any, visit_type: Any,
) -> None:  # fmt: skip
    visit = factories.make_visit(row.practitioner, patient=patient, visit_type=visit_type)  # type: ignore[arg-type]
    for where in (NEW, f"{NEW}{row.pk}/"):
        assert verified(auditor).get(where).status_code == 403
        for visitor in (client, password_only(clinician), browser(make_link(visit))):
            assert visitor.get(where).status_code == 302
            assert visitor.post(where, {"do": "remove"}).status_code == 403
    assert ScheduleException.objects.count() == 1


def test_who_takes_no_visits_is_told_so(verified: Any, clinician: User) -> None:
    assert "You take no visits at this clinic" in verified(clinician).get(NEW).content.decode()
