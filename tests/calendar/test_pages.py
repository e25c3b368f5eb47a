"""Day, week, month and paper: what stands where, for whom."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent, Practitioner, User
from accounts.policy import Role
from tests import factories
from tests.booking.conftest import CHICAGO
from tests.calendar.conftest import TUESDAY, at
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.schedule.models import OpeningHours, ScheduleException, SchedulePolicy

pytestmark = pytest.mark.django_db
Status = Appointment.Status


def tag_with(page: str, words: str) -> str:
    """The whole link or paragraph of the grid that has the words."""
    found = [
        tag for tag in re.findall(r"<(?:a|p)\b.*?</(?:a|p)>", page, re.DOTALL) if words in re.sub(r"<[^>]+>", "", tag)
    ]
    assert found, f"nothing says {words!r}"
    return str(found[0])


def column(page: str) -> str:
    """Tuesday's part of the grid."""
    return page.split(f'data-column="{TUESDAY}')[1].split("</section>")[0]


@pytest.fixture
def visit(hours: Practitioner, patient: Any, visit_type: Any) -> Appointment:
    visit_type.colour = "rose"
    visit_type.save()
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:20"))


def test_a_visit_stands_at_its_time_with_its_state_in_words(look: Any, clinician: User, visit: Appointment) -> None:
    page = look(clinician)

    event = tag_with(page, "10:20 Rosa Marín")
    assert 'class="ev ev-booked ty-rose at-1 past-20 for-0 and-20 slim"' in event
    assert f'href="/visits/{visit.pk}/"' in event
    assert "until 10:40 am. Booked." in event
    assert "Follow-up" in event


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (Status.ARRIVED, "arrived", "Arrived"),
        (Status.FULFILLED, "done", "Finished"),
        (Status.NOSHOW, "noshow", "No-show"),
    ],
)
def test_each_state_has_its_own_silhouette_and_word(
    look: Any, clinician: User, visit: Appointment, status: str, kind: str, words: str
) -> None:
    Appointment.objects.update(status=status)

    event = tag_with(look(clinician), "10:20 Rosa Marín")

    assert f"ev-{kind}" in event
    assert f"{words}." in event
    assert "data-move" not in event


def test_a_visit_over_midnight_is_in_both_days_by_an_id_each(
    look: Any, clinician: User, hours: Practitioner, visit_type: Any
) -> None:
    visit = factories.make_visit(hours, visit_type=visit_type, start=at("23:50"))

    page = look(clinician)

    assert re.findall(rf'id="(v-{visit.pk}[^"]*)"', page) == [f"v-{visit.pk}", f"v-{visit.pk}-rest"]


def test_hours_that_reach_midnight_are_booked_up_to_it_on_a_sheet_that_ends_there(
    look: Any, clinician: User, practitioner: Practitioner, visit_type: Any
) -> None:
    factories.make_hours(practitioner, 1, "20:00", "00:00")
    factories.make_hours(practitioner, 2, "00:00", "06:00")

    page = look(clinician, hours="all")

    assert 'data-hours="24"' in page
    assert "Book 11:45 pm" in column(page)
    assert "Free from 8:00 pm to 12:00 am" in column(page)
    assert "Outside of" not in page
    held = factories.make_hold(practitioner, visit_type, at("23:50"), held_by=clinician)
    page = look(clinician, hours="all")
    assert page.count(f"{held.held_by.name}, until") == 2, "in both days"


def test_a_cancelled_visit_is_gone_and_its_time_is_free(look: Any, clinician: User, visit: Appointment) -> None:
    assert "Book 10:30 am" not in column(look(clinician))
    Appointment.objects.update(status=Status.CANCELLED)

    page = look(clinician)

    assert "Rosa" not in page
    assert "Book 10:30 am" in column(page)


def test_who_waits_and_who_is_in_the_visit_is_told_apart(look: Any, clinician: User, visit: Appointment) -> None:
    from visits.waiting.models import Ticket

    Appointment.objects.update(status=Status.ARRIVED)
    ticket = Ticket.objects.create(appointment=visit, arrived_at=visit.start)
    assert "ev-waiting" in tag_with(look(clinician), "10:20 Rosa")
    ticket.admitted_at, ticket.admitted_by = visit.start, clinician
    ticket.save()
    assert "ev-visit" in tag_with(look(clinician), "10:20 Rosa")


def test_a_held_time_says_who_holds_it_and_until_when(
    look: Any, clinician: User, front_desk: User, hours: Practitioner, visit_type: Any
) -> None:
    factories.make_hold(hours, visit_type, at("09:00"), held_by=front_desk, expires_at=at("09:00"))

    page = look(clinician)

    assert "Lee Park, until 9:00" in tag_with(page, "9:00 Held")
    assert "Book 9:00 am" not in column(page)
    Hold.objects.update(expires_at=at("09:00") - timedelta(days=60))
    assert "Held" not in look(clinician)


def test_a_free_place_leads_to_the_book_page_with_clinician_and_time(
    look: Any, front_desk: User, hours: Practitioner, visit: Appointment
) -> None:
    page = look(front_desk, who=hours.pk).replace("&amp;", "&")

    start = value_of(at("10:40"))
    assert f'href="/book/?practitioner={hours.pk}&day={TUESDAY}&start={start}"' in page
    assert value_of(at("10:30")) not in page  # the visit lies there
    assert value_of(at("12:00")) not in page  # outside of the hours
    assert "Free from 10:40 am to 12:00 pm" in page
    assert "Rosa" not in "".join(re.findall(r'href="([^"]*)"', page))


def test_who_may_not_book_finds_no_place_to(look: Any, clinic_admin: User, visit: Appointment) -> None:
    page = look(clinic_admin, who=visit.practitioner_id)

    assert "10:20 Rosa Marín" in page
    assert "/book/?" not in page
    assert "data-move" not in page


def test_past_time_cannot_be_booked(verified: Any, front_desk: User, hours: Practitioner) -> None:
    page = verified(front_desk).get("/calendar/week/", {"day": "2024-05-14", "who": str(hours.pk)}).content.decode()

    assert "No visits" in page
    assert "Book 9:00" not in page


def test_time_off_holidays_and_shut_hours_are_shown(look: Any, clinician: User, hours: Practitioner) -> None:
    ScheduleException.objects.create(
        clinic=hours.clinic, practitioner=hours, kind="off", first_day=TUESDAY, last_day=TUESDAY,
        start_time="11:00", end_time="12:00", note="Ward round",
    )  # fmt: skip
    OpeningHours.objects.create(clinic=hours.clinic, weekday=1, start_time="09:30", end_time="17:00")
    page = look(clinician)

    assert 'class="off at-2 past-0 for-1' in column(page)
    assert "Ward round" in column(page)
    assert "Book 9:15 am" not in column(page)
    assert "Book 9:30 am" in column(page)
    assert "Book 11:00 am" not in column(page)
    SchedulePolicy.objects.create(clinic=hours.clinic, holiday_region="US")
    page = look(clinician, "month", day="2026-12-01")
    assert "Christmas Day" in page


def test_a_day_side_by_side_has_a_column_for_each_clinician(
    look: Any, front_desk: User, clinic: Any, visit: Appointment
) -> None:
    other = factories.make_practitioner(clinic, name="Dr. Lena Fischer")
    factories.make_visit(other, start=at("10:20"), patient=factories.make_patient(clinic, given_name="Nia"))

    page = look(front_desk, "day", who="clinic")

    assert page.count("data-column=") == 2
    assert f'data-column="{TUESDAY}/{other.pk}"' in page
    assert "Nia" in page
    assert "Nia" not in look(front_desk, "day", who=visit.practitioner_id)


def test_the_clinics_week_names_every_visit_of_everybody(look: Any, front_desk: User, visit: Appointment) -> None:
    page = look(front_desk, who="clinic")

    assert f'<a class="line ev-booked ty-rose" href="/visits/{visit.pk}/">' in page
    assert "10:20 Rosa Marín" in page
    assert ", Booked, Follow-up" in page


def test_a_clinician_who_takes_no_visits_any_more_keeps_those_that_are_booked_in_sight(
    look: Any, front_desk: User, visit: Appointment
) -> None:
    Practitioner.objects.update(is_active=False)

    page = look(front_desk, "day", who="clinic")

    assert "Rosa" in page
    assert "Book 9:00 am" not in page


def test_the_month_counts_visits_and_leads_to_days(look: Any, clinician: User, visit: Appointment) -> None:
    page = look(clinician, "month").replace("&amp;", "&")

    cell = page.split('class="month"')[1].split(f"/calendar/day/?day={TUESDAY}&")[1].split("</td>")[0]
    assert '<span class="num">1</span>' in cell
    assert page.count('<span class="num">') == 1


def test_paper_has_time_patient_clinician_type_and_mode(look: Any, clinician: User, visit: Appointment) -> None:
    Appointment.objects.update(mode="phone")

    page = look(clinician, "print")

    row = re.sub(r"<[^>]+>", "|", page.split("<tbody>")[1].split("</tr>")[0])
    said = [part for part in row.split("|") if part.strip()]
    assert said == ["10:20 am", "Rosa Marín", "Dr. Amara Okafor", "Follow-up", "Phone"]


def test_the_calendar_opens_with_ones_own_week_or_the_clinics_day(
    verified: Any, clinician: User, front_desk: User, hours: Practitioner
) -> None:
    assert f"/calendar/week/?day={at_home()}&who={hours.pk}" in verified(clinician).get("/calendar/")["Location"]
    assert verified(front_desk).get("/calendar/")["Location"].startswith("/calendar/day/")


def at_home() -> str:
    return str(datetime.now(CHICAGO).date())


@pytest.mark.parametrize(("view", "days"), [("day", 1), ("week", 7), ("print", 1)])
def test_a_look_at_patients_names_is_on_the_trail_without_names(
    look: Any, clinician: User, visit: Appointment, view: str, days: int
) -> None:
    look(clinician, view)

    event = AuditEvent.objects.get(subtype="calendar.print" if view == "print" else "calendar.view")
    assert (event.user, event.action, event.clinic) == (clinician, AuditEvent.Action.READ, visit.clinic)
    assert event.detail == {
        "day": str(TUESDAY - timedelta(days=days // 7)),
        "days": days,
        "practitioner": str(visit.practitioner_id),
        "visits": 1,
    }


def test_a_month_names_nobody_and_is_not_on_the_trail(look: Any, clinician: User, visit: Appointment) -> None:
    assert "Rosa" not in look(clinician, "month")

    assert not AuditEvent.objects.filter(subtype__startswith="calendar").exists()


@pytest.mark.parametrize("view", ["day", "week", "month", "print"])
@pytest.mark.parametrize(
    "asked",
    [
        {"day": "yesterday", "who": "nobody"},
        {"day": "0001-01-01"},
        {"day": "9999-12-31", "hours": "some"},
        {"who": "\x00"},
        {"day": "2199-12-31", "hours": "all"},
        {"day": "2000-01-01"},
    ],
)
def test_nonsense_in_the_address_is_not_believed(
    verified: Any, clinician: User, hours: Practitioner, view: str, asked: dict[str, str]
) -> None:
    assert verified(clinician).get(f"/calendar/{view}/", asked).status_code == 200


def test_everybody_sees_their_own_zone_and_the_clinics_beside_it(
    look: Any, clinician: User, visit: Appointment
) -> None:
    assert "Central Time (CT)" in look(clinician)
    assert "The clinic is on" not in look(clinician)
    User.objects.update(time_zone="Asia/Kolkata")

    page = look(clinician, hours="all")

    assert "India" in page
    assert "The clinic is on Central Time (CT)." in page
    local = visit.start.astimezone(at_zone("Asia/Kolkata"))
    assert f"{local.hour % 12 or 12}:{local:%M} Rosa Marín" in page  # 8:50 or 9:50 pm, by the season
    assert "cal-gut-2" in page


def at_zone(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def test_a_fetched_part_is_the_calendar_alone(verified: Any, clinician: User, visit: Appointment) -> None:
    client: Client = verified(clinician)
    page = client.get("/calendar/week/", {"day": str(TUESDAY)}, headers={"HX-Request": "true"}).content.decode()

    assert page.lstrip().startswith('<div id="calendar"')
    assert "<html" not in page
    assert "Rosa" in page


@pytest.mark.parametrize("view", ["day", "week", "month"])
def test_queries_are_as_many_for_many_visits_as_for_few(
    verified: Any, front_desk: User, clinic: Any, hours: Practitioner, view: str, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client: Client = verified(front_desk)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(f"/calendar/{view}/", {"day": str(TUESDAY), "who": "clinic"}).status_code == 200
        return len(caught)

    visit_type = factories.make_visit_type(clinic)
    factories.make_visit(hours, start=at("09:00"), visit_type=visit_type, status=Status.ARRIVED)
    queries()
    few = queries()
    for number in range(3):
        one = factories.make_practitioner(clinic)
        factories.make_hours(one, 1)
        ScheduleException.objects.create(
            clinic=clinic, practitioner=one, kind="off", first_day=TUESDAY, last_day=TUESDAY
        )
        for clock in ("09:00", "09:20", "10:00", "10:40"):
            state = Status.ARRIVED if number else Status.BOOKED
            factories.make_visit(one, start=at(clock), visit_type=visit_type, status=state)

    assert queries() == few


STRANGERS = ["/calendar/", "/calendar/day/", "/calendar/week/", "/calendar/month/", "/calendar/print/"]


@pytest.mark.parametrize("path", STRANGERS)
def test_a_stranger_sees_nothing_of_it(
    verified: Any, stranger: User, auditor: User, visit: Appointment, path: str
) -> None:
    asked = {"day": str(TUESDAY), "who": str(visit.practitioner_id)}

    page = verified(stranger).get(path, asked, follow=True).content.decode()

    assert "Rosa" not in page
    assert "Okafor" not in page
    assert str(visit.practitioner_id) not in page
    assert verified(auditor).get(path, asked).status_code == 403


@pytest.mark.parametrize("path", STRANGERS)
def test_without_a_second_factor_or_with_a_patients_link_nobody_comes_in(
    client: Client, password_only: Any, clinician: User, visit: Appointment, path: str
) -> None:
    from tests.party import browser, make_link

    for visitor in (client, password_only(clinician), browser(make_link(visit))):
        answer = visitor.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/signin/")


def test_the_page_is_made_for_a_member_of_two_clinics_by_the_one_they_are_in(
    verified: Any, clinician: User, other_clinic: Any, visit: Appointment
) -> None:
    clinician.memberships.create(clinic=other_clinic, role=Role.CLINICIAN)
    client: Client = verified(clinician)
    client.post("/clinic/", {"clinic": str(other_clinic.pk)})

    page = client.get("/calendar/week/", {"day": str(TUESDAY), "who": "clinic"}).content.decode()

    assert "Rosa" not in page


@pytest.mark.parametrize("view", ["day", "week", "month"])
def test_a_clinic_without_clinicians_reads_what_is_missing(verified: Any, front_desk: User, view: str) -> None:
    page = verified(front_desk).get(f"/calendar/{view}/").content.decode()

    assert "No clinician of this clinic takes visits yet." in page
