"""The public pages let in whom they should, and nobody sees another's booking."""

import uuid

import pytest
from django.test import Client

from tests import factories
from tests.architecture.addresses import routes
from tests.booking.conftest import at
from tests.online.conftest import PAGE, PERSON, Browser, code_sent, long_ago
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.online import services
from visits.schedule.models import SchedulePolicy, VisitType

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("page", ["", "now/", f"{uuid.UUID(int=7)}/", f"{uuid.UUID(int=7)}/code/"])
@pytest.mark.parametrize("slug", ["riverside", "nowhere"])
def test_a_clinic_without_online_booking_has_no_such_page(clinic, page, slug):
    for method in ("get", "post"):
        assert getattr(Client(), method)(f"/book/{slug}/{page}").status_code == 404


@pytest.mark.parametrize("page", ["", "now/"])
def test_where_a_clinic_lets_nobody_book_the_page_says_whom_to_call(clinic, page):
    known, unknown = (Client().get(f"/book/{slug}/{page}").content.decode() for slug in ("riverside", "nowhere"))

    assert "There is nothing to book here at the moment." in known
    assert 'href="tel:' in known
    assert "There is nothing to book here" not in unknown


def test_no_other_page_stands_where_a_clinics_short_name_does():
    below = {route.name for route in routes() if route.template.startswith("/book/") and route.template != "/book/"}

    assert below == {"online:choose", "online:now", "online:person", "online:code"}


def test_a_booking_is_the_browsers_in_which_it_began(halima):
    halima.choose()
    person = halima.here
    halima.tell()
    code = code_sent()

    for page in (person, f"{person}code/"):
        answer = Client().get(page)
        assert answer.status_code == 410
        assert "Yusuf" not in answer.content.decode()
    assert Client().post(f"{person}code/", {"code": code}).status_code == 410
    assert Client().post(person, PERSON | {"shown": long_ago()}).status_code == 410
    assert not Appointment.objects.exists()


def test_a_draft_is_of_its_clinic(halima, other_clinic):
    SchedulePolicy.objects.create(clinic=other_clinic, online_booking=True)
    halima.choose()

    answer = halima.client.get(halima.here.replace("riverside", "hilltop"))

    assert answer.status_code == 410


def test_the_code_page_comes_after_the_person(halima):
    halima.choose()

    answer = halima.client.get(f"{halima.here}code/")

    assert answer["Location"] == halima.here
    assert halima.client.post(f"{halima.here}code/", {"code": "000000"})["Location"] == halima.here


def test_what_staff_alone_book_is_not_offered_and_cannot_be_had(halima, clinic, hours):
    staff_only = factories.make_visit_type(clinic, name="Procedure")
    closed = factories.make_visit_type(clinic, name="Closed", booked_by=VisitType.BookedBy.PATIENT, is_active=False)
    page = Client().get(PAGE).content.decode()
    assert "Procedure" not in page
    assert "Closed" not in page

    for one in (staff_only, closed):
        halima.choose(type=str(one.pk))
    assert set(Hold.objects.values_list("visit_type", flat=True)) <= {halima.visit_type.pk}


def test_clinicians_of_other_clinics_are_not_to_be_had(halima, other_clinic):
    elsewhere = factories.make_practitioner(other_clinic, name="Dr. Else")
    factories.make_hours(elsewhere, 1)
    assert "Dr. Else" not in Client().get(PAGE).content.decode()

    halima.choose(**{"with": str(elsewhere.pk)})

    assert Hold.objects.get().clinic == halima.visit_type.clinic


def test_when_the_clinic_closes_online_booking_nothing_goes_on(halima):
    halima.choose()
    halima.tell()
    code = code_sent()
    SchedulePolicy.objects.update(online_booking=False)

    answer = halima.type(code)
    assert answer.status_code == 404
    assert not Appointment.objects.exists()
    for page in (answer, halima.client.get(halima.here), halima.client.get(halima.here.removesuffix("code/"))):
        assert "There is nothing to book here at the moment." in page.content.decode()
        assert 'href="tel:' in page.content.decode()


def test_a_form_from_elsewhere_is_refused(check_up):
    client = Client(enforce_csrf_checks=True)

    assert client.post(PAGE, {"start": value_of(at("10:00"))}).status_code == 403
    assert not Hold.objects.exists()


def test_pages_are_kept_by_nobody_and_search_engines_stay_away(halima):
    halima.choose()
    answer = halima.client.get(halima.here)

    assert "no-store" in answer["Cache-Control"]
    assert '<meta name="robots" content="noindex">' in answer.content.decode()


def test_a_line_with_many_addresses_keeps_no_more_times_than_one_with_one(check_up, monkeypatch):
    monkeypatch.setattr(services, "HOLDS_PER_CALLER", 2)
    form = {"type": str(check_up.pk), "with": "any", "zone": "America/Chicago"}
    for number, clock in enumerate(["10:00", "10:20", "10:40", "11:00"], 1):
        Client(REMOTE_ADDR=f"2001:db8::{number}").post(PAGE, {**form, "start": value_of(at(clock))})

    assert Hold.objects.count() == 2


def test_staff_who_are_signed_in_see_the_page_as_everybody(check_up, verified, clinician):
    assert verified(clinician).get(PAGE).status_code == 200


def test_two_browsers_of_two_people(check_up):
    first, second = Browser(check_up), Browser(check_up)

    one = first.book(at("10:00"))
    two = second.book(at("10:20"), given_name="Walter", email="walter@example.org")

    assert one.patient != two.patient
    assert first.client.get(f"/my/{two.pk}/visit/")["Location"] == "/link-needed/"
