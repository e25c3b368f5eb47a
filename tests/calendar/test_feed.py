"""The secret feed: what is in it, who has it, and what a calendar program is answered."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from freezegun import freeze_time
from icalendar import Calendar

from accounts.models import AuditEvent, Membership, Practitioner, User
from tests import factories
from tests.calendar.conftest import at
from tests.conftest import staff
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.calendar import feed
from visits.calendar.models import CalendarFeed
from visits.reminders.invitation import uid

pytestmark = pytest.mark.django_db
PAGE = "/calendar/feed/"


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def visit(hours: Practitioner, patient: Any, visit_type: Any) -> Appointment:
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:20"))


@pytest.fixture
def address(clinician: User, visit: Appointment) -> str:
    """The path of the clinician's feed."""
    return feed.renew(principal=staff(clinician)).removeprefix("http://localhost")


def events(body: bytes) -> list[Any]:
    return list(Calendar.from_ical(body).walk("VEVENT"))


def test_it_says_when_what_type_and_by_what_means_and_nothing_of_patients(
    client: Client, address: str, visit: Appointment
) -> None:
    Appointment.objects.update(mode="phone", revision=3)

    answer = client.get(address)

    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer["Cache-Control"] == "private"
    (event,) = events(answer.content)
    assert event["uid"] == uid(visit)
    assert (event["sequence"], event["dtstart"].dt, event["dtend"].dt) == (3, at("10:20"), at("10:40"))
    assert event["summary"] == "Follow-up, Phone"
    assert set(event) == {"UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "TRANSP", "CLASS"}
    for secret in (b"Rosa", b"Mar", b"http", b"@example"):
        assert secret not in answer.content


def test_it_holds_ones_own_visits_of_this_clinic_only(
    client: Client, address: str, clinic: Any, other_clinic: Any, clinician: User, visit: Appointment
) -> None:
    factories.make_visit(factories.make_practitioner(clinic))
    factories.make_visit(factories.make_practitioner(other_clinic, clinician))

    assert [event["uid"] for event in events(client.get(address).content)] == [uid(visit)]


def test_a_moved_visit_keeps_its_uid_and_a_cancelled_one_is_gone(
    client: Client, address: str, front_desk: User, visit: Appointment
) -> None:
    booking.move(principal=staff(front_desk), visit=visit, start=at("11:00"))
    (event,) = events(client.get(address).content)
    assert (event["uid"], event["sequence"], event["dtstart"].dt) == (uid(visit), 1, at("11:00"))

    booking.cancel(principal=staff(front_desk), visit=visit)
    assert events(client.get(address).content) == []


def test_what_has_not_changed_is_not_sent_again(
    client: Client, address: str, front_desk: User, visit: Appointment
) -> None:
    first = client.get(address)
    assert first["Last-Modified"]

    for headers in ({"If-None-Match": first["ETag"]}, {"If-Modified-Since": first["Last-Modified"]}):
        again = client.get(address, headers=headers)
        assert (again.status_code, again.content, again["Cache-Control"]) == (304, b"", "private")
        assert again["ETag"] == first["ETag"]
    with freeze_time(timezone.now() + timedelta(seconds=2)):
        booking.move(principal=staff(front_desk), visit=visit, start=at("11:00"))
    for headers in ({"If-None-Match": first["ETag"]}, {"If-Modified-Since": first["Last-Modified"]}):
        assert client.get(address, headers=headers).status_code == 200


def test_the_address_is_shown_once_and_only_its_hash_is_kept(verified: Any, clinician: User, visit: Any) -> None:
    me: Client = verified(clinician)
    assert "You have no address yet." in me.get(PAGE).content.decode()

    page = me.post(PAGE, {"do": "renew"}).content.decode()

    url = page.split('value="http://localhost')[1].split('"')[0]
    assert events(Client().get(url).content)
    token = url.rsplit("/", 1)[1].removesuffix(".ics")
    assert len(token) >= 43
    assert token not in me.get(PAGE).content.decode()
    assert not CalendarFeed.objects.filter(token_hash__contains=token).exists()
    event = AuditEvent.objects.get(subtype="feed.issue")
    assert token not in str(event.detail)


def test_a_new_address_ends_the_old_one_and_ending_it_ends_all(
    verified: Any, client: Client, clinician: User, address: str
) -> None:
    me: Client = verified(clinician)
    page = me.post(PAGE, {"do": "renew"}).content.decode()
    renewed = page.split('value="http://localhost')[1].split('"')[0]

    assert client.get(address).status_code == 404
    assert client.get(renewed).status_code == 200
    me.post(PAGE, {"do": "revoke"})
    assert client.get(renewed).status_code == 404
    assert AuditEvent.objects.filter(subtype="feed.revoke").count() == 2


def test_the_database_refuses_two_live_feeds(clinician: User, clinic: Any, address: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CalendarFeed.objects.create(user=clinician, clinic=clinic, token_hash="x")
    CalendarFeed.objects.create(user=clinician, clinic=clinic, token_hash="x", revoked_at=timezone.now())


@pytest.mark.parametrize("how", ["disabled", "left", "auditor now", "no clinician"])
def test_who_may_no_longer_see_visits_has_no_feed(client: Client, address: str, clinician: User, how: str) -> None:
    match how:
        case "disabled":
            User.objects.filter(pk=clinician.pk).update(is_active=False)
        case "left":
            Membership.objects.filter(user=clinician).update(is_active=False)
        case "auditor now":
            Membership.objects.filter(user=clinician).update(role="auditor")
        case "no clinician":
            Appointment.objects.all().delete()
            Practitioner.objects.filter(user=clinician).delete()

    assert client.get(address).status_code == 404


def test_it_opens_nothing_but_itself(client: Client, address: str) -> None:
    client.get(address)

    assert client.get("/calendar/").status_code == 302
    assert client.post(address).status_code == 405
    assert "session" not in client.cookies


def test_who_guesses_is_stopped(client: Client, address: str) -> None:
    answers = [client.get(f"/calendar/feed/guess{n}.ics").status_code for n in range(21)]

    assert answers == [404] * 20 + [429]
    assert client.get(address).status_code == 200  # who has one goes on


def test_a_program_that_asks_too_often_is_told_to_come_back(client: Client, address: str) -> None:
    answers = [client.get(address) for _ in range(61)]

    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert answers[-1]["Retry-After"] == "3600"


def test_the_secret_is_in_no_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    from telehealth.logs import HidingFormatter

    with caplog.at_level(logging.DEBUG):
        client.get("/calendar/feed/very-secret-token.ics")

    written = [
        HidingFormatter().format(record) for record in caplog.records if record.name.startswith("django.request")
    ]
    assert written
    assert "very-secret" not in " ".join(written)


def test_it_speaks_the_persons_language(client: Client, clinician: User, visit: Appointment) -> None:
    User.objects.update(language="es")
    path = feed.renew(principal=staff(clinician)).removeprefix("http://localhost")

    (event,) = events(client.get(path).content)
    assert event["summary"] == "Follow-up, Video"


def test_who_takes_no_visits_is_told_so_and_gets_none(verified: Any, front_desk: User, clinic: Any) -> None:
    assert "You take no visits at this clinic." in verified(front_desk).get(PAGE).content.decode()
    assert verified(front_desk).post(PAGE, {"do": "renew"}).status_code == 404


def test_strangers_have_no_page_for_it(
    client: Client, verified: Any, password_only: Any, clinician: User, auditor: User, address: str
) -> None:
    assert verified(auditor).get(PAGE).status_code == 403
    for visitor in (client, password_only(clinician)):
        assert visitor.get(PAGE).status_code == 302
        assert visitor.post(PAGE, {"do": "revoke"}).status_code == 403
    assert client.get(address).status_code == 200
