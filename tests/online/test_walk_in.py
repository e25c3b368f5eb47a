"""See someone now: who it is, a code, and into the line."""

import re
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time

from accounts.models import Patient
from tests import factories
from tests.online.conftest import Browser, code_sent
from visits.booking.models import Appointment, Hold
from visits.online import services
from visits.online.models import Verification
from visits.schedule.models import Availability, OpeningHours, VisitType

pytestmark = pytest.mark.django_db

NOW = "/book/riverside/now/"


@pytest.fixture
def at_work(practitioner, policy):
    """Somebody works around the clock, so that the test may run at any time."""
    policy.walk_ins = True
    policy.save()
    for weekday in range(7):
        factories.make_hours(practitioner, weekday, "00:00", "00:00")
    return practitioner


@pytest.fixture
def walter(clinic, at_work, noon) -> Browser:
    visit_type = factories.make_visit_type(clinic, name="Urgent", booked_by=VisitType.BookedBy.PATIENT)
    return Browser(visit_type, NOW)


@pytest.fixture
def noon() -> Iterator[datetime]:
    """The day is half over, whenever the test runs."""
    at = timezone.now().replace(hour=18, minute=0, second=0, microsecond=0)
    with freeze_time(at, tick=False):
        yield at


def begin(browser: Browser) -> None:
    answer = browser.client.post(NOW, {"type": str(browser.visit_type.pk), "zone": "America/Denver"})
    browser.here = answer["Location"]


def test_a_walk_in_goes_straight_into_check_in(walter, at_work, noon):
    assert "See someone now" in Client().get("/book/riverside/").content.decode()
    begin(walter)
    walter.tell()

    answer = walter.type(code_sent())

    visit = Appointment.objects.get()
    assert answer["Location"] == f"/my/{visit.pk}/"
    assert walter.client.get(answer["Location"])["Location"] == f"/my/{visit.pk}/details/"
    assert (visit.origin, visit.start, visit.practitioner) == ("walk-in", noon, at_work)
    assert visit.patient.time_zone == "America/Denver"
    assert visit.changes.get().role == "patient"
    assert not Hold.objects.exists()


def test_a_visit_by_phone_is_not_to_be_had_now(walter, clinic):
    call = factories.make_visit_type(clinic, name="Call", mode="phone", booked_by=VisitType.BookedBy.PATIENT)

    page = Client().get(NOW).content.decode()

    assert "Urgent" in page
    assert "Call, " not in page
    assert "Choose what it is for" in Client().post(NOW, {"type": str(call.pk)}).content.decode()
    VisitType.objects.exclude(pk=call.pk).update(is_active=False)
    assert "See someone now" not in Client().get("/book/riverside/").content.decode()


def test_when_nobody_is_free_the_code_stays_good_and_nobody_is_added(walter, at_work, noon):
    Availability.objects.update(end_time="12:20")
    busy = factories.make_visit(at_work, visit_type=walter.visit_type, start=noon)
    begin(walter)
    walter.tell()
    code = code_sent()

    page = walter.type(code).content.decode()

    assert "Nobody has time left today" in page
    assert "Book a time on another day, or call us at" in page
    assert 'class="btn" href="/book/riverside/"' in page
    assert not Patient.objects.exclude(pk=busy.patient_id).exists()
    assert Verification.objects.get().used_at is None
    Appointment.objects.update(status="cancelled")
    assert walter.type(code).status_code == 302


def test_a_closed_clinic_says_so(walter, clinic):
    OpeningHours.objects.create(clinic=clinic, weekday=0, start_time="01:00", end_time="01:01")

    assert "The clinic is closed now." in Client().get(NOW).content.decode()
    assert "See someone now" not in Client().get("/book/riverside/").content.decode()
    assert walter.client.post(NOW, {"type": str(walter.visit_type.pk)}).status_code == 200


def test_an_open_clinic_without_visits_by_video_does_not_say_that_it_is_closed(walter, at_work):
    VisitType.objects.update(mode=VisitType.Mode.PHONE)

    page = Client().get(NOW).content.decode()

    assert "Nobody sees patients without an appointment now." in page
    assert "closed" not in page
    assert walter.client.post(NOW, {"type": str(walter.visit_type.pk)}).status_code == 200


@pytest.mark.parametrize(("is_on", "words"), [(True, "Book a time, or call us"), (False, "Call us")])
def test_a_clinic_that_closes_meanwhile_says_so_and_leads_to_a_time_where_there_are_any(
    walter, at_work, policy, is_on, words
):
    begin(walter)
    walter.tell()
    code = code_sent()
    Availability.objects.all().delete()
    policy.online_booking = is_on
    policy.save()

    page = walter.type(code).content.decode()

    assert "The clinic is closed now" in page
    assert f"<p>{words} at" in page
    assert ('class="btn" href="/book/riverside/"' in page) is is_on
    assert not Appointment.objects.exists()


def test_without_a_choice_the_page_asks_for_one(walter, clinic):
    factories.make_visit_type(clinic, name="Other", booked_by=VisitType.BookedBy.PATIENT)

    page = walter.client.post(NOW, {"type": "x"}).content.decode()

    assert "<title>Problem: See someone now" in page
    assert re.search(r"<p [^>]*autofocus>.*Choose what it is for\.", page)


def test_one_caller_begins_few_times_so_that_sessions_stay_few(walter, monkeypatch):
    monkeypatch.setattr(services, "WALK_INS_PER_CALLER", 2)
    form = {"type": str(walter.visit_type.pk)}
    answers = [Client().post(NOW, form) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [302, 302, 200, 200]
    assert "Too many tries" in answers[-1].content.decode()
    assert not answers[-1].cookies.get("session")
    assert Client(REMOTE_ADDR="192.0.2.8").post(NOW, form).status_code == 302


def test_where_walk_ins_are_off_there_is_no_such_page(walter, policy):
    begin(walter)
    policy.walk_ins = False
    policy.save()

    assert Client().get(NOW).status_code == 404
    for answer in (walter.client.get(walter.here), walter.tell()):
        assert answer.status_code == 410
        assert 'href="/book/riverside/"' in answer.content.decode()
    assert not Verification.objects.exists()


def test_what_is_only_for_walk_ins_needs_no_online_booking(walter, policy):
    policy.online_booking = False
    policy.save()
    begin(walter)
    walter.tell()

    assert walter.type(code_sent()).status_code == 302
