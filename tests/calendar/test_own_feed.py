"""A patient's feed: a secret address at which their calendar program reads when their visits are."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from icalendar import Calendar

from accounts.models import AuditEvent, Practitioner, User
from tests import factories
from tests.calendar.conftest import at
from tests.party import browser, make_link
from visits.booking.models import Appointment, AppointmentChange
from visits.calendar.models import CalendarFeed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def visit(hours: Practitioner, patient: Any, clinic: Any) -> Appointment:
    sensitive = factories.make_visit_type(clinic, name="Depression, follow-up")
    return factories.make_visit(hours, patient=patient, visit_type=sensitive, start=at("10:20"))


@pytest.fixture
def rosa(visit: Appointment) -> Client:
    return browser(make_link(visit))


def page_of(visit: Appointment) -> str:
    return f"/my/{visit.pk}/visits/feed/"


def make(client: Client, visit: Appointment) -> str:
    """Press the button; return the path of the feed."""
    answer = client.post(page_of(visit), {"do": "renew"})
    assert answer.status_code == 200
    url = answer.content.decode().partition('readonly value="')[2].partition('"')[0]
    assert url.startswith("http://localhost/calendar/feed/")
    return str(url.removeprefix("http://localhost"))


def events(body: bytes) -> Any:
    return Calendar.from_ical(body).walk("VEVENT")


def test_the_list_of_visits_leads_to_it(rosa: Client, visit: Appointment) -> None:
    assert f'href="{page_of(visit)}"' in rosa.get(f"/my/{visit.pk}/visits/").content.decode()
    assert "You have no address yet." in rosa.get(page_of(visit)).content.decode()


def test_it_holds_all_visits_of_the_patient_at_this_clinic_and_of_nobody_else(
    rosa: Client, visit: Appointment, clinic: Any, other_clinic: Any
) -> None:
    colleague = factories.make_practitioner(clinic)
    second = factories.make_visit(colleague, patient=visit.patient, start=at("11:20"))
    factories.make_visit(colleague, start=at("12:20"))
    factories.make_visit(colleague, patient=visit.patient, start=at("13:20"), status="cancelled")
    factories.make_visit(factories.make_practitioner(other_clinic), start=at("10:20"))

    body = Client().get(make(rosa, visit)).content

    assert [str(event["uid"]) for event in events(body)] == [f"{one.pk}@localhost" for one in (visit, second)]


def test_it_has_no_clinical_word_no_name_and_no_link(rosa: Client, visit: Appointment) -> None:
    body = Client().get(make(rosa, visit)).content

    (event,) = events(body)
    assert event["summary"] == "Video visit, Riverside Family Clinic"
    for word in (b"Depression", b"Rosa", b"Okafor", b"/v/", b"http"):
        assert word not in body


def test_both_zones_are_named(rosa: Client, visit: Appointment, patient: Any) -> None:
    patient.time_zone = "America/New_York"
    patient.save()

    page = rosa.get(page_of(visit)).content.decode()
    (event,) = events(Client().get(make(rosa, visit)).content)

    assert "Your times: Eastern Time (ET)." in page
    assert "The clinic is on Central Time (CT)." in page
    assert "11:20 am (Eastern Time)" in event["description"]
    assert "10:20 am (Central Time)" in event["description"]
    assert event.start == at("10:20")


def test_where_both_are_the_same_one_is_named(rosa: Client, visit: Appointment) -> None:
    (event,) = events(Client().get(make(rosa, visit)).content)

    assert "(Central Time)" in event["description"]
    assert "At the clinic" not in event["description"]


def test_it_speaks_the_patients_language(rosa: Client, visit: Appointment, patient: Any) -> None:
    patient.language = "es"
    patient.save()

    (event,) = events(Client().get(make(rosa, visit)).content)

    assert event["summary"] == "Visita por video, Riverside Family Clinic"


def test_the_address_is_shown_once_and_kept_as_a_hash_only(rosa: Client, visit: Appointment) -> None:
    token = make(rosa, visit).split("/")[-1].removesuffix(".ics")

    assert token not in rosa.get(page_of(visit)).content.decode()
    assert token not in CalendarFeed.objects.get().token_hash
    event = AuditEvent.objects.get(subtype="feed.issue")
    assert (event.patient, event.role, event.detail) == (visit.patient, "patient", {})


def test_a_new_one_ends_the_one_before_and_it_can_be_ended(rosa: Client, visit: Appointment) -> None:
    first = make(rosa, visit)
    second = make(rosa, visit)
    assert Client().get(first).status_code == 404
    assert Client().get(second).status_code == 200

    answer = rosa.post(page_of(visit), {"do": "revoke"}, follow=True)

    assert "The feed has ended." in answer.content.decode()
    assert Client().get(second).status_code == 404
    assert AuditEvent.objects.filter(subtype="feed.revoke").count() == 2


def test_a_change_shows_and_nothing_new_is_not_sent_again(rosa: Client, visit: Appointment) -> None:
    address = make(rosa, visit)
    tag = Client().get(address)["ETag"]
    assert Client().get(address, headers={"If-None-Match": tag}).status_code == 304

    visit.start, visit.end, visit.revision = at("11:20"), at("11:40"), 1
    visit.save()
    AppointmentChange.objects.create(
        appointment=visit, change="moved", revision=1, start=at("11:20"), practitioner=visit.practitioner,
        old_start=at("10:20"), old_practitioner=visit.practitioner, at=timezone.now() + timedelta(minutes=1),
    )  # fmt: skip

    (event,) = events(Client().get(address, headers={"If-None-Match": tag}).content)
    assert (event.start, event["sequence"]) == (at("11:20"), 1)


def test_it_opens_nothing_but_itself(rosa: Client, visit: Appointment) -> None:
    client = Client()
    client.get(make(rosa, visit))

    assert client.get(f"/my/{visit.pk}/visit/").status_code == 302
    assert "session" not in client.cookies


def test_strangers_have_no_page_for_it(
    rosa: Client, visit: Appointment, clinic: Any, verified: Any, clinician: User
) -> None:
    address = make(rosa, visit)
    other = factories.make_visit(factories.make_practitioner(clinic), start=at("10:20"))
    guest = browser(make_link(visit, guest="Ines"))

    assert guest.get(page_of(visit)).status_code == 404
    assert guest.post(page_of(visit), {"do": "revoke"}).status_code == 404
    for visitor in (Client(), browser(make_link(other)), verified(clinician)):
        assert visitor.get(page_of(visit))["Location"] == "/link-needed/"
        assert visitor.post(page_of(visit), {"do": "revoke"})["Location"] == "/link-needed/"
    assert Client().get(address).status_code == 200


def test_another_patient_ends_only_their_own(rosa: Client, visit: Appointment, clinic: Any) -> None:
    address = make(rosa, visit)
    other = factories.make_visit(factories.make_practitioner(clinic), start=at("10:20"))
    walter = browser(make_link(other))

    theirs = make(walter, other)
    walter.post(page_of(other), {"do": "revoke"})

    assert Client().get(theirs).status_code == 404
    assert Client().get(address).status_code == 200


def test_the_database_refuses_two_live_feeds_and_a_feed_of_nobody_or_two(
    rosa: Client, visit: Appointment, clinic: Any, clinician: User
) -> None:
    make(rosa, visit)
    whose: list[dict[str, Any]] = [
        {"patient": visit.patient},
        {},
        {"patient": factories.make_patient(clinic), "user": clinician},
    ]
    for fields in whose:
        with pytest.raises(IntegrityError), transaction.atomic():
            CalendarFeed.objects.create(clinic=clinic, token_hash="x", **fields)
    CalendarFeed.objects.create(patient=visit.patient, clinic=clinic, token_hash="x", revoked_at=timezone.now())
