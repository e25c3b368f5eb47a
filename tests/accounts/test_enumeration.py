"""Who tries thousands of links, ids or addresses learns nothing: the answer is the same, and so is the time it takes.

Time is compared as a guesser would, by many tries of both kinds in turn; as the processor's time, so that other work on
the same machine does not count.
"""

import re
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from ipaddress import IPv4Address
from statistics import median

import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent, Clinic, User
from tests import factories
from tests.booking.conftest import at
from tests.online.conftest import Browser
from tests.online.conftest import check_up as check_up
from tests.online.conftest import hours as hours
from tests.online.conftest import policy as policy
from tests.party import browser, make_link
from visits.booking.models import Appointment, Hold
from visits.online.models import Verification
from visits.schedule.models import VisitType

pytestmark = pytest.mark.django_db

TRIES = 150
CHANGING = re.compile(r'csrfmiddlewaretoken" value="\w+"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}')

CLOCK = re.compile(r"\b\d{1,2}:\d\d\b")  # a minute may pass between two answers


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


def from_anywhere() -> Client:
    """Another network each time."""
    return Client(REMOTE_ADDR=str(IPv4Address("11.0.0.0") + secrets.randbelow(2**24)))


def said(answer: HttpResponse) -> tuple[int, str, str]:
    """All of an answer that is not the asker's own."""
    words = (answer.headers.get("Location", ""), answer.content.decode())
    location, body = (CHANGING.sub("", text) for text in words)
    return answer.status_code, location, body


def take_the_same_time(one: Callable[[], object], other: Callable[[], object]) -> None:
    """By the middle of many tries of each; tried again where it looks different, as chance has it once in a while."""
    for _ in range(3):
        took: tuple[list[float], list[float]] = ([], [])
        for n in range(2 * TRIES):
            began = time.process_time()
            (one, other)[n % 2]()
            took[n % 2].append(time.process_time() - began)
        ratio = median(took[0]) / median(took[1])
        if 0.9 < ratio < 1.1:
            return
    raise AssertionError(f"one takes {ratio:.2f} times as long as the other")


def test_a_difference_is_seen() -> None:
    with pytest.raises(AssertionError, match="times as long"):
        take_the_same_time(lambda: sum(range(40_000)), lambda: sum(range(50_000)))


@pytest.fixture
def tokens(clinic: Clinic, visit: Appointment) -> list[str]:
    """Those of a hundred live links."""
    expires_at = timezone.now() + timedelta(hours=12)
    urls = [
        links.issue(
            kind=AccessLink.Kind.PATIENT, clinic=clinic, resource_id=visit.pk, expires_at=expires_at,
            patient=visit.patient,
        )[1]
        for _ in range(100)
    ]  # fmt: skip
    return [url.rstrip("/").rsplit("/", 1)[1] for url in urls]


def nearly(token: str) -> str:
    """A token that is wrong by one character somewhere."""
    place = secrets.randbelow(len(token))
    other = "a" if token[place] != "a" else "b"
    return token[:place] + other + token[place + 1 :]


# --- links ------------------------------------------------------------------------------------------------------------


def test_ten_thousand_tokens_open_none_of_a_hundred_links(tokens: list[str]) -> None:
    """Row 12 of the checklist: made up, one character beside a right one, cut short, too long, in other letters."""
    statuses = set()
    for n in range(10_000):
        right = tokens[n % 100]
        kinds = (
            secrets.token_urlsafe(links.TOKEN_BYTES),
            nearly(right),
            right[:-1],
            right + right[:1],
            right.swapcase(),
        )
        with pytest.raises(links.LinkClosed):
            links.find(kinds[n % 5])
        if n < 500:
            statuses.add(from_anywhere().post(f"/v/{kinds[n % 5]}/", {"birth_date": "3/14/1979"}).status_code)

    assert statuses == {404}
    assert not AuditEvent.objects.filter(subtype="link.redeem").exists()
    assert AccessLink.objects.filter(first_used_at=None, failures=0).count() == 100


def test_a_token_cannot_be_found_letter_by_letter(tokens: list[str]) -> None:
    def try_one(token: str) -> HttpResponse:
        return from_anywhere().get(f"/v/{token}/")

    def said_of(token: str) -> tuple[int, str]:
        status, _, page = said(try_one(token))
        return status, page.replace(token, "")

    assert said_of(nearly(tokens[0])) == said_of(secrets.token_urlsafe(links.TOKEN_BYTES))
    take_the_same_time(lambda: try_one(nearly(tokens[0])), lambda: try_one(secrets.token_urlsafe(links.TOKEN_BYTES)))


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["", "link/", "room/", "cancel/", "move/"])
def test_staff_cannot_tell_another_clinics_visit_from_none(
    verified: Callable[[User], Client], stranger: User, visit: Appointment, page: str
) -> None:
    me = verified(stranger)

    def ask(pk: uuid.UUID) -> HttpResponse:
        return me.get(f"/visits/{pk}/{page}")

    assert said(ask(visit.pk)) == said(ask(uuid.uuid4()))
    assert ask(visit.pk).status_code == 404
    if not page:
        take_the_same_time(lambda: ask(visit.pk), lambda: ask(uuid.uuid4()))


def test_a_patient_cannot_tell_anothers_visit_from_none(visit: Appointment, clinic: Clinic) -> None:
    me = browser(make_link(factories.make_visit(visit.practitioner, visit_type=visit.visit_type)))

    def ask(pk: uuid.UUID) -> HttpResponse:
        return me.get(f"/my/{pk}/visit/")

    assert said(ask(visit.pk)) == said(ask(uuid.uuid4()))
    take_the_same_time(lambda: ask(visit.pk), lambda: ask(uuid.uuid4()))


def test_an_account_cannot_be_told_from_none_by_its_id(clinician: User) -> None:
    def ask(pk: uuid.UUID) -> HttpResponse:
        return from_anywhere().get(f"/password/{pk}/c2-{'0' * 32}/")

    assert said(ask(clinician.pk)) == said(ask(uuid.uuid4()))


# --- addresses of people ----------------------------------------------------------------------------------------------


def test_a_known_and_an_unknown_account_take_the_same_time(clinician: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.password.tasks.mail_link.delay", lambda pk: None)

    def ask(email: str) -> HttpResponse:
        cache.clear()
        return from_anywhere().post("/password/forgotten/", {"email": email})

    assert said(ask(clinician.email)) == said(ask("nobody@example.org"))
    take_the_same_time(lambda: ask(clinician.email), lambda: ask("nobody@example.org"))


def test_a_hundred_addresses_at_the_booking_page_tell_nothing_of_who_is_a_patient(
    check_up: VisitType, clinic: Clinic
) -> None:
    """Every second one is a patient's, with the right name and birth date; the clinic does and says the same."""
    known, unknown = set(), set()
    for n in range(100):
        address = f"somebody{n}@example.org"
        if n % 2:
            factories.make_patient(
                clinic, given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30), email=address
            )
        guesser = Browser(check_up, address=str(IPv4Address("11.0.0.0") + n))
        guesser.choose()
        connection.queries_log.clear()  # which is full some time
        with CaptureQueriesContext(connection) as queries:
            answer = guesser.tell(email=address)
        asked = len(queries)  # before the next request, which empties the list
        page = guesser.client.get(guesser.here).content.decode()
        told = (answer.status_code, asked, CLOCK.sub("", CHANGING.sub("", page)).replace(address, ""))
        (known if n % 2 else unknown).add(told)
        cache.clear()
        Hold.objects.all().delete()

    assert known == unknown
    assert len(known) == 1
    assert next(iter(known))[1] > 5


def test_who_asks_for_many_codes_is_stopped_whoever_they_are_for(check_up: VisitType, clinic: Clinic) -> None:
    factories.make_patient(clinic, email="somebody3@example.org")
    guesser = Browser(check_up)
    guesser.choose(at("10:00"))
    page = guesser.here
    answers = []
    for n in range(35):
        guesser.here = page
        answers.append(guesser.tell(email=f"somebody{n}@example.org").status_code)

    assert answers == [302] * 30 + [200] * 5
    assert Verification.objects.count() == 30
