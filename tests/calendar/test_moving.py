"""A visit that is dropped elsewhere: asked first, told to whom, refused without a loss."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Practitioner, User
from tests import factories
from tests.calendar.conftest import TUESDAY, at
from tests.party import browser, make_link
from visits.booking.days import value_of
from visits.booking.models import Appointment

pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(hours: Practitioner, patient: Any, visit_type: Any) -> Appointment:
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:20"))


@pytest.fixture
def desk(verified: Any, front_desk: User) -> Client:
    return verified(front_desk)


def path(visit: Appointment) -> str:
    return f"/calendar/move/{visit.pk}/"


def drop(client: Client, visit: Appointment, clock: str = "11:00", **more: Any) -> Any:
    return client.post(path(visit), {"start": value_of(at(clock)), **more})


def test_it_says_from_where_to_where_and_who_is_told_before_anything_is_done(desk: Client, visit: Appointment) -> None:
    page = desk.get(path(visit), {"start": value_of(at("11:00"))}).content.decode()

    assert "10:20" in page
    assert "11:00" in page
    assert "The patient is told at once by e-mail." in page
    visit.refresh_from_db()
    assert visit.start == at("10:20")


def test_who_has_no_address_is_to_be_called(desk: Client, visit: Appointment, patient: Any) -> None:
    patient.email = ""
    patient.save()

    page = desk.get(path(visit), {"start": value_of(at("11:00"))}).content.decode()

    assert 'call them at <span class="nowrap">(555) 010-0177</span>' in page


def test_it_moves_and_says_so_without_a_name(desk: Client, visit: Appointment) -> None:
    answer = drop(desk, visit, reason="asked for it")

    visit.refresh_from_db()
    assert (visit.start, visit.revision, visit.status) == (at("11:00"), 1, "booked")
    assert visit.changes.get(change="moved").reason == "asked for it"
    assert answer["Location"] == f"/calendar/week/?day={TUESDAY}&who={visit.practitioner_id}"
    page = desk.get(answer["Location"]).content.decode()
    said = page.partition('class="stack-s notices"')[2].partition("</span>")[0]
    assert "11:00" in said
    assert "Rosa" not in said


def test_in_the_dialog_the_page_is_told_to_look_again(desk: Client, visit: Appointment) -> None:
    answer = desk.post(path(visit), {"start": value_of(at("11:00"))}, headers={"HX-Request": "true"})

    assert (answer.status_code, answer["HX-Trigger"]) == (204, "calendar:moved")
    page = desk.get("/calendar/week/", {"day": str(TUESDAY), "who": "clinic"}, headers={"HX-Request": "true"})
    assert "Moved to" in page.content.decode()


def test_it_can_go_to_another_clinician(desk: Client, visit: Appointment, clinic: Any) -> None:
    other = factories.make_practitioner(clinic, name="Dr. Lena Fischer")
    factories.make_hours(other, 1, "09:00", "12:00")
    asked = desk.get(path(visit), {"start": value_of(at("11:00")), "practitioner": str(other.pk)}).content.decode()
    assert "Dr. Lena Fischer" in asked
    assert "Both clinicians see it in their calendars" in asked

    drop(desk, visit, practitioner=str(other.pk))

    visit.refresh_from_db()
    assert visit.practitioner == other


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("taken", "11:00 is taken"),
        ("held", "11:00 is taken"),
        ("shut", "3:00 cannot be booked"),
        ("busy", "The patient is busy then"),
    ],
)
def test_what_is_in_the_way_is_said_with_free_times_and_the_visit_stays(
    desk: Client, visit: Appointment, clinic: Any, how: str, words: str
) -> None:
    if how == "taken":
        factories.make_visit(visit.practitioner, start=at("11:00"), visit_type=visit.visit_type)
    if how == "held":
        factories.make_hold(visit.practitioner, visit.visit_type, at("11:00"))
    if how == "busy":
        other = factories.make_practitioner(clinic, name="Dr. Lena Fischer")
        factories.make_visit(other, start=at("11:00"), patient=visit.patient)

    page = drop(desk, visit, "15:00" if how == "shut" else "11:00", reason="kept").content.decode()

    assert words in page
    assert "The visit stays where it was" in page
    assert 'value="kept"' in page
    if how != "busy":
        assert "Nearest free times:" in page
        assert "/calendar/move/" in page
    visit.refresh_from_db()
    assert (visit.start, visit.revision) == (at("10:20"), 0)


def test_a_visit_that_was_cancelled_meanwhile_is_not_moved(desk: Client, visit: Appointment) -> None:
    Appointment.objects.update(status="cancelled")

    assert "This visit cannot be moved any more" in drop(desk, visit).content.decode()


def test_without_a_time_one_looks_for_it_on_the_page_for_that(desk: Client, visit: Appointment) -> None:
    for start in ("", "now", "2026-13-45T00:00:00Z"):
        assert desk.get(path(visit), {"start": start})["Location"] == f"/visits/{visit.pk}/move/"
        assert desk.post(path(visit), {"start": start}).status_code == 302


def test_the_new_time_is_told_by_every_clock_that_matters(
    desk: Client, visit: Appointment, front_desk: User, patient: Any
) -> None:
    patient.time_zone = "America/Denver"
    patient.save()
    front_desk.time_zone = "America/New_York"
    front_desk.save()

    page = desk.get(path(visit), {"start": value_of(at("11:00"))}).content.decode()

    assert "12:00 pm ET" in page
    assert "11:00 am at the clinic (Central Time, CT)" in page
    assert "10:00 am for the patient (Mountain Time, MT)" in page


def test_the_places_are_the_free_times_on_the_page(desk: Client, visit: Appointment, clinic: Any) -> None:
    factories.make_visit(visit.practitioner, start=at("09:00"), visit_type=visit.visit_type)

    asked = {"view": "week", "day": str(TUESDAY), "who": str(visit.practitioner_id)}
    places = desk.get(f"{path(visit)}places/", asked).json()["places"]

    here = places[f"{TUESDAY}/{visit.practitioner_id}"]
    values = [value for value, _css, _words in here]
    assert value_of(at("09:00")) not in values
    assert {value_of(at("09:20")), value_of(at("10:20")), value_of(at("11:40"))} <= set(values)
    assert [value_of(at("09:20")), "at-0 past-20 for-0 and-20", "Tuesday, 9:20 am"] in here
    assert len(places) == 5


def test_side_by_side_the_places_are_those_of_everybody_who_offers_it(
    desk: Client, visit: Appointment, clinic: Any
) -> None:
    other, third = factories.make_practitioner(clinic), factories.make_practitioner(clinic)
    for one in (other, third):
        factories.make_hours(one, 1, "09:00", "10:00")
    visit.visit_type.practitioners.set([visit.practitioner, other])

    asked = {"view": "day", "day": str(TUESDAY), "who": "clinic"}
    places = desk.get(f"{path(visit)}places/", asked).json()["places"]

    assert set(places) == {f"{TUESDAY}/{visit.practitioner_id}", f"{TUESDAY}/{other.pk}"}


def test_side_by_side_a_visit_may_go_where_it_overlaps_itself(desk: Client, visit: Appointment) -> None:
    visit.start, visit.end = at("10:10"), at("10:30")
    visit.save()

    asked = {"view": "day", "day": str(TUESDAY), "who": "clinic"}
    places = desk.get(f"{path(visit)}places/", asked).json()["places"]

    values = [value for value, _css, _words in places[f"{TUESDAY}/{visit.practitioner_id}"]]
    assert {value_of(at("10:00")), value_of(at("10:20"))} <= set(values)


@pytest.mark.parametrize("suffix", ["", "places/"])
def test_a_stranger_learns_nothing(
    verified: Any, stranger: User, clinic_admin: User, visit: Appointment, suffix: str
) -> None:
    where = path(visit) + suffix
    assert verified(stranger).get(where, {"start": value_of(at("11:00"))}).status_code == 404
    assert verified(clinic_admin).get(where).status_code == 403
    if not suffix:
        assert drop(verified(stranger), visit).status_code == 404
        assert drop(verified(clinic_admin), visit).status_code == 403
    visit.refresh_from_db()
    assert visit.start == at("10:20")


@pytest.mark.parametrize("suffix", ["", "places/"])
def test_without_a_second_factor_or_by_a_patients_link_nothing_moves(
    client: Client, password_only: Any, front_desk: User, visit: Appointment, suffix: str
) -> None:
    for visitor in (client, password_only(front_desk), browser(make_link(visit))):
        assert visitor.get(path(visit) + suffix).status_code == 302
        assert drop(visitor, visit).status_code == 403
    visit.refresh_from_db()
    assert visit.start == at("10:20")


def test_a_clinician_of_another_clinic_counts_as_not_asked_for(
    desk: Client, visit: Appointment, other_clinic: Any
) -> None:
    theirs = factories.make_practitioner(other_clinic, name="Dr. Zelda")

    page = desk.get(path(visit), {"start": value_of(at("11:00")), "practitioner": str(theirs.pk)}).content.decode()
    drop(desk, visit, practitioner=str(theirs.pk))

    assert "Zelda" not in page
    visit.refresh_from_db()
    assert visit.practitioner_id != theirs.pk


def test_a_past_time_is_refused(desk: Client, visit: Appointment) -> None:
    past = value_of(at("11:00") - timedelta(days=364))

    assert "cannot be booked" in desk.post(path(visit), {"start": past}).content.decode()
