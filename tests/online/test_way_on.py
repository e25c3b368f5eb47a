"""Where nothing opens any more, pages say what is left to do: book, find one's other visits, call."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink
from tests import factories
from tests.booking.conftest import at
from tests.party import browser, make_link
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.reminders.links import to_answer
from visits.reminders.models import Communication
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.django_db

BOOK, CALL = "/book/riverside/", 'Call <span class="nowrap">(555) 010-0142</span>'


@pytest.fixture
def visit(hours, patient, visit_type) -> Appointment:
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:00"))


@pytest.fixture
def is_open(clinic) -> None:
    SchedulePolicy.objects.create(clinic=clinic, online_booking=True)


def ended_link(visit: Appointment) -> str:
    url = links.issue(
        kind=AccessLink.Kind.PATIENT,
        clinic=visit.clinic,
        resource_id=visit.pk,
        expires_at=timezone.now() - timedelta(minutes=1),
        patient=visit.patient,
    )[1]
    return url.removeprefix("http://localhost")


def answer_page(visit: Appointment) -> str:
    booking.cancel(principal=None, visit=visit)
    message = Communication.objects.create(appointment=visit, kind="confirmation", due_at=timezone.now())
    return to_answer(message).removeprefix("http://localhost")


def waiting_page(visit: Appointment) -> str:
    booking.cancel(principal=None, visit=visit)
    return f"/my/{visit.pk}/waiting/"


@pytest.mark.parametrize("page", [ended_link, answer_page, waiting_page])
def test_the_booking_page_is_offered_while_it_is_open(visit, is_open, page):
    client = browser(make_link(visit))
    said = client.get(page(visit)).content.decode()

    assert BOOK in said
    assert CALL in said


@pytest.mark.parametrize("page", [ended_link, answer_page, waiting_page])
def test_else_the_clinics_phone_alone(visit, page):
    client = browser(make_link(visit))
    said = client.get(page(visit)).content.decode()

    assert BOOK not in said
    assert CALL in said


def test_who_has_another_visit_open_finds_the_list_that_sends_new_links(visit, hours, patient, visit_type):
    later = factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("11:00"))

    assert f"/my/{later.pk}/visits/" in browser(make_link(later)).get(ended_link(visit)).content.decode()
    assert "/visits/" not in Client().get(ended_link(visit)).content.decode()


def test_nobody_is_led_to_anothers_visits(visit, hours, visit_type):
    anothers = factories.make_visit(hours, visit_type=visit_type, start=at("11:00"))

    assert "/visits/" not in browser(make_link(anothers)).get(ended_link(visit)).content.decode()


def test_a_guest_of_a_cancelled_visit_is_not_asked_to_book(visit, is_open):
    guest = browser(make_link(visit, guest="Luis"))

    assert BOOK not in guest.get(waiting_page(visit)).content.decode()


def test_a_locked_link_leads_to_the_phone_only(visit, is_open):
    url = ended_link(visit)
    AccessLink.objects.update(failures=3, expires_at=timezone.now() + timedelta(hours=1))

    said = Client().get(url).content.decode()
    assert BOOK not in said
    assert CALL in said
