"""Moving a visit on its page: what is chosen, what is in the way, who may."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from tests import factories
from tests.booking.conftest import TUESDAY, at
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold

pytestmark = pytest.mark.django_db


@pytest.fixture
def booked(book) -> Appointment:
    return book()


@pytest.fixture
def path(booked) -> str:
    return f"/visits/{booked.pk}/move/"


@pytest.fixture
def desk(verified, front_desk) -> Client:
    return verified(front_desk)


@pytest.fixture
def form(booked):
    """What a browser sends for eleven."""
    return {
        "practitioner": str(booked.practitioner_id),
        "visit_type": str(booked.visit_type_id),
        "week": TUESDAY.isoformat(),
        "day": TUESDAY.isoformat(),
        "start": value_of(at("11:00")),
        "do": "move",
        "reason": "Snow",
    }


def test_the_page_shows_the_week_of_the_visit_and_its_own_time_as_free(desk, path, booked):
    page = desk.get(path).content.decode()

    assert "Tuesday morning" in page
    assert f'name="start" value="{value_of(booked.start)}"><span>10:00' in page
    assert "Dr. Amara Okafor" in page


def test_a_visit_moves_with_a_reason_and_its_page_tells_the_story(desk, path, form, booked):
    answer = desk.post(path, form)

    booked.refresh_from_db()
    assert (booked.start, booked.revision) == (at("11:00"), 1)
    (message,) = get_messages(answer.wsgi_request)
    assert "Moved to" in str(message)
    assert "Rosa" not in str(message)
    page = desk.get(answer["Location"]).content.decode()
    for words in ("Moved", "10:00", "11:00", "Lee Park: Snow"):
        assert words in page


def test_a_sign_that_no_database_takes_is_left_out_of_the_reason(desk, path, form, booked):
    assert desk.post(path, form | {"reason": "Sn\0ow"}).status_code == 302

    assert booked.changes.get(change="moved").reason == "Snow"


def test_the_chosen_time_is_held(desk, path, form):
    page = desk.post(f"{path}slots/", form | {"do": ""}).content.decode()

    assert Hold.objects.get().start == at("11:00")
    assert "Held for you until" in page
    assert desk.post(path, form).status_code == 302
    assert not Hold.objects.exists()


def test_a_type_that_is_booked_no_more_stays_chosen_and_its_time_is_held(desk, path, form, booked, clinic):
    factories.make_visit_type(clinic, name="A long one", minutes=60)
    booked.visit_type.is_active = False
    booked.visit_type.save()

    assert f'value="{booked.visit_type_id}" selected' in desk.get(path).content.decode()
    desk.post(f"{path}slots/", form | {"choose": form["start"]})
    assert Hold.objects.get().start == at("11:00")
    assert desk.post(path, form).status_code == 302
    booked.refresh_from_db()
    assert (booked.start, booked.minutes) == (at("11:00"), 20)


def test_what_was_taken_meanwhile_loses_nothing_that_was_typed(desk, path, form, book, clinic, booked):
    book(patient=factories.make_patient(clinic), start=at("11:00"))

    page = desk.post(path, form).content.decode()

    assert "11:00 was just taken" in page
    assert f'name="choose" value="{value_of(at("10:40"))}"' in page
    assert "Snow" in page
    booked.refresh_from_db()
    assert booked.revision == 0


def test_it_moves_to_any_clinician_who_is_free(desk, path, form, clinic, booked):
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1, "13:00", "14:00")

    desk.post(path, form | {"practitioner": "any", "start": value_of(at("13:20"))})

    booked.refresh_from_db()
    assert booked.practitioner == colleague


def test_what_is_missing_is_said(desk, path, form):
    assert "Choose a time." in desk.post(path, form | {"start": ""}).content.decode()


def test_a_visit_that_is_off_is_not_moved(desk, path, form, booked):
    Appointment.objects.filter(pk=booked.pk).update(status="cancelled")

    for answer in (desk.get(path), desk.post(path, form)):
        assert answer.status_code == 302
        assert "cannot be moved" in str(list(get_messages(answer.wsgi_request))[-1])


@pytest.mark.parametrize("part", ["", "slots/"])
def test_a_stranger_finds_no_such_visit(verified, stranger, path, form, part, booked):
    assert verified(stranger).post(path + part, form).status_code == 404
    booked.refresh_from_db()
    assert booked.revision == 0


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
@pytest.mark.parametrize("part", ["", "slots/"])
def test_other_roles_are_refused(verified, request, path, form, part, role):
    assert verified(request.getfixturevalue(role)).post(path + part, form).status_code == 403


@pytest.mark.parametrize("part", ["", "slots/"])
def test_without_a_second_factor_nobody_comes_in(password_only, client, front_desk, path, form, part):
    for visitor in (client, password_only(front_desk)):
        assert visitor.post(path + part, form).status_code in {302, 403}
