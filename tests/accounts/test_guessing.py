"""Guesses of passwords: from one address, from thousands, at one account or at all; and the owner meanwhile."""

import re
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory

from accounts import limit
from accounts.login import guessing
from accounts.models import Clinic, User
from accounts.policy import Role
from tests import factories
from tests.accounts.authenticator import Authenticator
from tests.accounts.test_passkeys import key, sign_in  # noqa: F401
from tests.accounts.test_signin import CODE, SIGNIN, code_of, is_in, phone_of
from tests.threads import at_once

HOME = "192.0.2.7"


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were compared with somebody's."""
    passwords: list[str] = []
    check: Callable[..., bool] = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, raw: (passwords.append(raw), check(self, raw))[1])
    return passwords


def guess(user: User, n: int, password: str = "wrong") -> int:
    """The answer's status for a guess from address number ``n`` of the world."""
    address = str(IPv4Address("11.0.0.0") + n)
    return int(Client(REMOTE_ADDR=address).post(SIGNIN, {"email": user.email, "password": password}).status_code)


def forget(user: User) -> None:
    """A minute goes by."""
    cache.delete(f"limit:{guessing._account(user.email)}")


def test_ten_thousand_guesses_from_as_many_addresses_get_nothing(
    clinician: User, checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 12 of the checklist: of 10,000 guesses ten are checked, though the right one is among them."""
    # One minute, however long this machine takes; and without drawing the page each time.
    monkeypatch.setattr(guessing, "ACCOUNT_SECONDS", 3600)
    monkeypatch.setattr("accounts.login.views._page", lambda *given, status=200: HttpResponse(status=status))

    statuses = {guess(clinician, n, factories.PASSWORD if n % 100 == 50 else f"wrong {n}") for n in range(10_000)}

    assert statuses == {200, 429}  # wrong, or wait; never in
    assert len(checked) == guessing.ACCOUNT_TIMES


def test_the_owner_comes_in_meanwhile_from_where_they_were_and_elsewhere_a_minute_later(clinician: User) -> None:
    """Row 12 of the checklist: an attacker does not shut the owner out."""
    home = Client(REMOTE_ADDR=HOME)
    home.post(SIGNIN, {"email": clinician.email, "password": factories.PASSWORD})
    home.post(CODE, {"code": code_of(phone_of(clinician))})
    assert is_in(home, clinician)
    for n in range(20):
        guess(clinician, n)

    again = Client(REMOTE_ADDR=HOME).post(SIGNIN, {"email": clinician.email, "password": factories.PASSWORD})
    assert again.status_code == 302
    assert guess(clinician, 21, factories.PASSWORD) == 429
    forget(clinician)
    assert guess(clinician, 21, factories.PASSWORD) == 302
    assert guessing.ACCOUNT_SECONDS <= 60


def test_the_owner_behind_the_same_address_comes_in_a_minute_after_who_guesses_there(clinician: User) -> None:
    """Row 12 of the checklist: also where somebody on the clinic's own network goes on guessing all the while."""
    guessing.know(RequestFactory().get("/", REMOTE_ADDR=HOME), clinician)

    def here(password: str) -> int:
        given = {"email": clinician.email, "password": password}
        return int(Client(REMOTE_ADDR=HOME).post(SIGNIN, given).status_code)

    assert [here("wrong") for _ in range(8)][-1] == 429
    for _ in range(5):
        assert here("wrong") == here(factories.PASSWORD) == 429
    cache.delete(f"limit:{guessing._here(RequestFactory().get('/', REMOTE_ADDR=HOME), clinician.email)}")  # a minute

    assert here(factories.PASSWORD) == 302
    assert guessing.HERE_SECONDS <= 60


def test_by_no_answer_does_a_stranger_tell_whether_the_owner_signs_in_from_a_network(clinician: User) -> None:
    """Not by the guesses there, and not by what is left elsewhere."""
    answers = []
    for is_known in (False, True):
        cache.clear()
        if is_known:
            guessing.know(RequestFactory().get("/", REMOTE_ADDR=HOME), clinician)
        given = {"email": clinician.email, "password": "wrong"}
        said = [Client(REMOTE_ADDR=HOME).post(SIGNIN, given) for _ in range(10)]
        words = [re.findall(r"Too many[^<]*|is not right[^<]*", one.content.decode()) for one in said]
        answers.append(([one.status_code for one in said], words, guess(clinician, 1)))

    assert answers[0] == answers[1]


def test_each_sign_in_keeps_the_network_known_for_its_full_time(rf: RequestFactory, clinician: User) -> None:
    """Who signs in daily is no stranger on day 90."""
    request = rf.get("/", REMOTE_ADDR=HOME)
    guessing.know(request, clinician)
    cache.touch(f"limit:{guessing._known(request, clinician.email, of_patient=False)}", 1)  # day 90 comes in a second

    guessing.know(request, clinician)

    time.sleep(1.2)
    assert guessing.is_known(request, clinician.email)


@pytest.mark.django_db(transaction=True)
def test_of_forty_guesses_at_once_no_more_are_checked_than_one_by_one(clinician: User, checked: list[str]) -> None:
    """Row 12 of the checklist: parallel guesses at one account, from as many networks."""
    statuses = at_once([lambda n=n: guess(clinician, n) for n in range(40)])  # type: ignore[misc]

    assert len(checked) == guessing.ACCOUNT_TIMES
    assert sorted(statuses) == [200] * guessing.ACCOUNT_TIMES + [429] * (40 - guessing.ACCOUNT_TIMES)


@pytest.mark.django_db(transaction=True)
def test_of_forty_guesses_at_once_from_one_network_no_more_are_checked_either(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 12 of the checklist: parallel guesses at as many accounts, from one network."""
    monkeypatch.setattr(guessing, "NETWORK_TIMES", 5)
    nobody = [User(email=f"user{n}@example.org") for n in range(40)]

    statuses = at_once([lambda one=one: guess(one, 1) for one in nobody])  # type: ignore[misc]

    assert sorted(statuses) == [200] * 5 + [429] * 35


@pytest.mark.django_db(transaction=True)
def test_of_forty_guesses_at_once_from_the_owners_own_network_no_more_than_a_minutes_are_checked(
    clinician: User, checked: list[str]
) -> None:
    """Row 12 of the checklist: a guest on the clinic's network, parallel guesses at who signs in from there."""
    guessing.know(RequestFactory().get("/", REMOTE_ADDR=HOME), clinician)

    def here(n: int) -> int:
        given = {"email": clinician.email, "password": f"wrong {n}"}
        return int(Client(REMOTE_ADDR=HOME).post(SIGNIN, given).status_code)

    statuses = at_once([lambda n=n: here(n) for n in range(40)])  # type: ignore[misc]

    assert len(checked) <= guessing.HERE_TIMES
    assert statuses.count(429) >= 40 - guessing.HERE_TIMES


@pytest.mark.django_db
def test_a_network_that_must_wait_does_not_learn_who_signs_in_from_it(clinic: Clinic, clinician: User) -> None:
    """Not which patients do, and not who of staff, as long as the password is wrong."""
    request = RequestFactory().get("/", REMOTE_ADDR=HOME)
    patient = factories.make_patient(clinic, email="rosa@example.org")
    account = User.objects.create(patient=patient)
    guessing.know(request, account)
    guessing.know(request, clinician)
    for n in range(guessing.NETWORK_TIMES):
        limit.too_many(guessing._network(request), times=guessing.NETWORK_TIMES, seconds=60 + n)

    def said(email: str) -> tuple[int, list[str]]:
        answer = Client(REMOTE_ADDR=HOME).post(SIGNIN, {"email": email, "password": "wrong"})
        return answer.status_code, re.findall(r"Too many[^<]*|is not right[^<]*", answer.content.decode())

    assert said("rosa@example.org") == said(clinician.email) == said("nobody@example.org")
    assert said(clinician.email)[0] == 429
    right = {"email": clinician.email, "password": factories.PASSWORD}
    assert Client(REMOTE_ADDR=HOME).post(SIGNIN, right).status_code == 302


def test_another_sign_in_takes_nobodys_count_back(rf: RequestFactory) -> None:
    """A patient's has no name; what its request names besides is not who signed in."""
    request = rf.post("/signin/passkey/", {"email": "amara@example.org"})

    assert guessing.hashed_account(request, {"email": ""}) != guessing.hashed("amara@example.org")
    assert guessing.hashed_account(request, None) == guessing.hashed("amara@example.org")


def test_the_wait_is_shown_and_nothing_typed_is_lost(clinician: User) -> None:
    for n in range(10):
        guess(clinician, n)

    page = Client().post(SIGNIN, {"email": clinician.email, "password": factories.PASSWORD}).content.decode()

    assert "Too many wrong passwords. Wait 1 minute, or choose a new password." in page
    assert f'value="{clinician.email}"' in page


def test_an_unknown_account_waits_the_same(clinician: User) -> None:
    nobody = User(email="nobody@example.org")

    assert [guess(nobody, n) for n in range(12)] == [guess(clinician, n) for n in range(12)]


def test_spraying_over_accounts_from_one_network_is_ended(clinic: Clinic, clinician: User) -> None:
    """Row 12 of the checklist: one guess at each of many accounts from one line of many addresses."""
    statuses = [
        Client(REMOTE_ADDR=f"2001:db8:0:1::{n:x}")
        .post(SIGNIN, {"email": f"user{n}@example.org", "password": "Spring2026!"})
        .status_code
        for n in range(guessing.NETWORK_TIMES + 1)
    ]
    right = {"email": clinician.email, "password": factories.PASSWORD}

    assert statuses == [200] * guessing.NETWORK_TIMES + [429]
    assert Client(REMOTE_ADDR="2001:db8:0:1::ffff").post(SIGNIN, right).status_code == 429
    assert Client(REMOTE_ADDR="2001:db8:0:2::1").post(SIGNIN, right).status_code == 302


def test_a_guest_on_the_clinics_network_does_not_keep_out_who_signs_in_from_there(clinic: Clinic) -> None:
    person, other = (factories.make_member(clinic, Role.CLINICIAN) for _ in range(2))
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.7")
    guessing.know(request, person)
    browser = Client(REMOTE_ADDR="203.0.113.7")
    for n in range(guessing.NETWORK_TIMES + 1):
        last = browser.post(SIGNIN, {"email": f"user{n}@example.org", "password": "Spring2026!"})

    assert last.status_code == 429
    assert browser.post(SIGNIN, {"email": other.email, "password": factories.PASSWORD}).status_code == 429
    assert browser.post(SIGNIN, {"email": person.email, "password": factories.PASSWORD}).status_code == 302


def test_passkeys_do_not_wait(client: Client, clinician: User, key: Authenticator) -> None:  # noqa: F811
    for n in range(20):
        guess(clinician, n)

    sign_in(client, key)

    assert is_in(client, clinician)


def test_who_signs_in_rightly_is_never_counted(clinic: Clinic, settings: Any) -> None:
    person = factories.make_member(clinic, Role.CLINICIAN)

    assert {guess(person, n, factories.PASSWORD) for n in range(guessing.ACCOUNT_TIMES * 2)} == {302}
    assert {guess(person, 1, factories.PASSWORD) for _ in range(guessing.NETWORK_TIMES + 1)} == {302}
