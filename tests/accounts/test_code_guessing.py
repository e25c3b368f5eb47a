"""Guesses of second-factor codes by somebody who has the password; and the owner meanwhile."""

from ipaddress import IPv4Address
from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django_otp.plugins.otp_static.models import StaticToken

from accounts.login import guessing
from accounts.mfa import services as mfa
from accounts.models import AuditEvent, TOTPDevice, User
from tests import factories
from tests.accounts.test_passkeys import key, sign_in  # noqa: F401
from tests.accounts.test_signin import CODE, SIGNIN, code_of, is_in, phone_of
from tests.threads import at_once

HOME = "192.0.2.7"


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def phone(clinician: User) -> TOTPDevice:
    return phone_of(clinician)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes that were compared with a phone's."""
    codes: list[str] = []
    check = TOTPDevice.verify_token
    monkeypatch.setattr(TOTPDevice, "verify_token", lambda self, code: (codes.append(code), check(self, code))[1])
    return codes


def with_password(user: User, address: str) -> Client:
    browser = Client(REMOTE_ADDR=address)
    browser.post(SIGNIN, {"email": user.email, "password": factories.PASSWORD})
    return browser


def wrong(phone: TOTPDevice) -> str:
    shown = {code_of(phone, offset) for offset in range(-2, 3)}
    return next(code for code in (f"{n:06}" for n in range(100)) if code not in shown)


def pass_time(user: User, span: str = "minute") -> None:
    """A minute, or the day, goes by for all networks that the owner does not know."""
    elsewhere = guessing.hashed(f"{user.pk} elsewhere")
    cache.delete(f"limit:signin-codes:{elsewhere}:{span}")


def test_ten_thousand_guesses_get_nothing_and_the_owner_is_in_within_a_minute(
    clinician: User, phone: TOTPDevice, checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 12 of the checklist: of 10,000 codes from a hundred networks five are checked, though right ones are among
    them; the owner does not wait where they were before, and nowhere for longer than a minute."""
    home = with_password(clinician, HOME)
    home.post(CODE, {"code": code_of(phone)})
    assert is_in(home, clinician)
    TOTPDevice.objects.update(last_t=-1)
    checked.clear()
    thieves = [with_password(clinician, str(IPv4Address("11.0.0.0") + n)) for n in range(100)]
    # One minute, however long this machine takes; and without drawing the page each time.
    monkeypatch.setattr(guessing, "CODE_SECONDS", 3600)
    monkeypatch.setattr("accounts.mfa.views._code_page", lambda *given: HttpResponse())

    guess = wrong(phone)
    for n in range(10_000):
        thieves[n % 100].post(CODE, {"code": code_of(phone) if n % 100 == 50 else guess})

    assert len(checked) == guessing.CODE_TIMES
    assert not [thief for thief in thieves if is_in(thief, clinician)]
    again = with_password(clinician, HOME)
    assert again.post(CODE, {"code": code_of(phone)}).status_code == 302
    assert is_in(again, clinician)
    TOTPDevice.objects.update(last_t=-1)
    travelling = with_password(clinician, "198.51.100.9")
    pass_time(clinician)
    travelling.post(CODE, {"code": code_of(phone)})
    assert is_in(travelling, clinician)


def test_no_wait_is_longer_than_a_minute() -> None:
    assert guessing.CODE_SECONDS <= 60


def test_after_a_hundred_in_a_day_one_a_minute_is_checked(
    clinician: User, phone: TOTPDevice, checked: list[str]
) -> None:
    thief, guess = with_password(clinician, "11.0.0.1"), wrong(phone)
    for _ in range(guessing.CODE_DAY_TIMES // guessing.CODE_TIMES):
        for _ in range(guessing.CODE_TIMES):
            thief.post(CODE, {"code": guess})
        pass_time(clinician)
    checked.clear()

    for _ in range(3):
        thief.post(CODE, {"code": guess})

    assert len(checked) == 1
    pass_time(clinician)
    thief.post(CODE, {"code": code_of(phone)})
    assert is_in(thief, clinician)  # who is in by a right code was no guess


def test_a_network_that_the_owner_knows_has_a_count_of_its_own(
    clinician: User, phone: TOTPDevice, checked: list[str]
) -> None:
    with_password(clinician, HOME).post(CODE, {"code": code_of(phone)})
    checked.clear()
    here, there, guess = with_password(clinician, HOME), with_password(clinician, "11.0.0.1"), wrong(phone)

    for browser in (here, there):
        for _ in range(guessing.CODE_TIMES * 2):
            browser.post(CODE, {"code": guess})

    assert len(checked) == 2 * guessing.CODE_TIMES


@pytest.mark.django_db(transaction=True)
def test_twenty_wrong_codes_at_once_are_counted_one_by_one(clinician: User) -> None:
    """Row 12 of the checklist: parallel guesses get no more checks than others."""
    phone = phone_of(clinician)
    browsers, guess = [with_password(clinician, "11.0.0.1") for _ in range(20)], wrong(phone)

    at_once([lambda browser=browser: browser.post(CODE, {"code": guess}) for browser in browsers])  # type: ignore[misc]

    reasons = AuditEvent.objects.filter(subtype="mfa.verify").values_list("detail__reason", flat=True)
    assert sorted(map(str, reasons)) == ["None"] * guessing.CODE_TIMES + ["throttled"] * (20 - guessing.CODE_TIMES)


def test_recovery_codes_count_as_well(clinician: User, phone: TOTPDevice) -> None:
    from tests.conftest import recovery_codes

    right = recovery_codes(clinician)[0]
    thief = with_password(clinician, "11.0.0.1")
    for _ in range(guessing.CODE_TIMES):
        thief.post(f"{CODE}?recovery", {"code": "ABCD-EFGH"})

    thief.post(f"{CODE}?recovery", {"code": right})

    assert not is_in(thief, clinician)
    assert StaticToken.objects.filter(token=mfa.hash_recovery_code(right)).exists()


def test_passkeys_do_not_wait_for_codes(client: Client, clinician: User, key: Any) -> None:  # noqa: F811
    phone = phone_of(clinician)
    thief = with_password(clinician, "11.0.0.1")
    for _ in range(guessing.CODE_TIMES * 2):
        thief.post(CODE, {"code": wrong(phone)})

    sign_in(client, key)

    assert is_in(client, clinician)


def test_where_nothing_can_be_counted_no_code_is_checked(
    clinician: User, phone: TOTPDevice, checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*given: object, **more: object) -> None:
        raise redis.ConnectionError

    browser = with_password(clinician, HOME)
    monkeypatch.setattr(cache, "get", away)

    assert "Too many wrong codes" in browser.post(CODE, {"code": code_of(phone)}).content.decode()
    assert checked == []
