"""Passkeys: enrolled, as second factor, instead of the password; and who cannot."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django_otp_webauthn.models import WebAuthnCredential
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.login import guessing
from accounts.mfa import services as mfa
from accounts.models import AuditEvent, Clinic, User
from accounts.passkeys import services as passkeys
from tests.accounts.authenticator import Authenticator
from tests.accounts.test_signin import CODE, CODES, SETUP, SIGNIN, code_of, give_password, is_in, phone_of
from tests.conftest import recovery_codes
from tests.threads import at_once

OPTIONS = "/passkeys/options/"
ENROL_OPTIONS = "/passkeys/enrol-options/"
PASSKEY_SIGNIN = "/signin/passkey/"


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def key(clinician: User, password_only: Callable[[User], Client]) -> Authenticator:
    """The clinician's passkey, their only factor."""
    key = Authenticator()
    browser = password_only(clinician)
    browser.post(SETUP, {"credential": key.enrol(browser.post(ENROL_OPTIONS).json())})
    return key


def answer(client: Client, key: Authenticator, **changed: Any) -> str:
    return key.answer(client.post(OPTIONS).json(), **changed)


def sign_in(client: Client, key: Authenticator, **fields: str) -> Any:
    return client.post(PASSKEY_SIGNIN, {"credential": answer(client, key)} | fields)


def last(subtype: str) -> AuditEvent:
    event = AuditEvent.objects.filter(subtype=subtype).first()
    assert event
    return event


# --- enrolment


def test_a_passkey_is_enough_for_staff(client: Client, clinician: User) -> None:
    key = Authenticator()
    assert give_password(client, clinician)["Location"] == SETUP
    options = client.post(ENROL_OPTIONS).json()
    assert options["rp"] == {"id": "localhost", "name": "Riverside Family Clinic"}

    enrolled = client.post(SETUP, {"credential": key.enrol(options)})

    assert enrolled["Location"] == CODES
    assert is_in(client, clinician)
    assert "Save these recovery codes" in client.get(CODES).content.decode()
    event = last("mfa.enrol")
    assert (event.user, event.outcome, event.detail) == (clinician, "0", {"kind": "passkey"})
    assert WebAuthnCredential.objects.get().name == "Passkey"


@pytest.mark.parametrize("role", ["anonymous", "password", "stale"])
def test_no_key_is_made_for_who_has_not_given_the_factor_they_have(
    client: Client, clinician: User, verified: Any, password_only: Any, role: str
) -> None:
    browser = {"anonymous": lambda: client, "password": lambda: password_only(clinician), "stale": lambda: None}[role]()
    if browser is None:
        browser = verified(clinician)
        session = browser.session
        session[mfa.SESSION_CONFIRMED] = time.time() - 11 * 60
        session.save()
    phone_of(clinician)

    assert browser.post(ENROL_OPTIONS).status_code == 403


def test_a_phone_that_was_enrolled_meanwhile_wins(client: Client, clinician: User) -> None:
    give_password(client, clinician)
    made = Authenticator().enrol(client.post(ENROL_OPTIONS).json())
    phone_of(clinician)

    assert client.post(SETUP, {"credential": made})["Location"] == CODE
    assert not WebAuthnCredential.objects.exists()


def test_a_key_of_somebody_else_is_not_enrolled_again(client: Client, front_desk: User, key: Authenticator) -> None:
    give_password(client, front_desk)

    page = client.post(SETUP, {"credential": key.enrol(client.post(ENROL_OPTIONS).json())})

    assert "That passkey did not work" in page.content.decode()
    assert WebAuthnCredential.objects.count() == 1
    assert last("mfa.enrol").outcome == AuditEvent.Outcome.MINOR_FAILURE


def test_a_passkey_made_after_a_recovery_code_ends_the_lost_phone(client: Client, clinician: User) -> None:
    phone_of(clinician)
    codes = recovery_codes(clinician)
    give_password(client, clinician)
    client.post(CODE + "?recovery", {"code": codes[0]})

    client.post(SETUP, {"credential": Authenticator().enrol(client.post(ENROL_OPTIONS).json())})

    assert mfa.phones_of(clinician) == []
    assert is_in(client, clinician)


# --- as second factor


def test_a_passkey_is_the_second_factor(client: Client, clinician: User, key: Authenticator) -> None:
    assert give_password(client, clinician)["Location"] == CODE
    assert "Use your passkey" in client.get(CODE).content.decode()

    done = client.post(CODE, {"credential": answer(client, key)})

    assert done["Location"] == "/"
    assert is_in(client, clinician)
    event = last("mfa.verify")
    assert (event.user, event.outcome, event.detail) == (clinician, "0", {"kind": "passkey"})


def test_a_security_key_without_pin_is_a_second_factor_but_no_way_in_alone(
    client: Client, clinician: User, key: Authenticator
) -> None:
    key.verifies = False

    assert sign_in(client, key)["Location"].startswith(SIGNIN)
    assert not is_in(client, clinician)
    give_password(client, clinician)
    client.post(CODE, {"credential": answer(client, key)})
    assert is_in(client, clinician)


def test_phone_and_passkey_each_will_do(client: Client, clinician: User, key: Authenticator) -> None:
    phone = phone_of(clinician)
    give_password(client, clinician)
    assert "Use my passkey" in client.get(CODE).content.decode()

    client.post(CODE, {"code": code_of(phone)})

    assert is_in(client, clinician)


def test_a_passkey_of_somebody_else_is_no_second_factor(client: Client, front_desk: User, key: Authenticator) -> None:
    phone_of(front_desk)
    give_password(client, front_desk)

    client.post(CODE, {"credential": answer(client, key)})

    assert not is_in(client, front_desk)
    assert last("mfa.verify").detail["reason"] == "CredentialUserMismatch"


# --- instead of the password


def test_a_passkey_alone_signs_in_with_a_new_session_key(client: Client, clinician: User, key: Authenticator) -> None:
    client.post(OPTIONS)
    before = client.session.session_key

    done = sign_in(client, key, next="/link-needed/?a=1")

    assert done["Location"] == "/link-needed/?a=1"
    assert is_in(client, clinician)
    assert client.session.session_key != before
    event = last("user.signin")
    assert (event.user, event.outcome, event.detail) == (clinician, "0", {"step": "passkey"})


def test_a_passkey_opens_the_admin(client: Client, clinic_admin: User, password_only: Any) -> None:
    key = Authenticator()
    browser = password_only(clinic_admin)
    browser.post(SETUP, {"credential": key.enrol(browser.post(ENROL_OPTIONS).json())})

    assert sign_in(client, key, next="/admin/")["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_strangers_are_told_nothing_of_whose_keys_there_are(client: Client, key: Authenticator) -> None:
    assert client.post(OPTIONS).json().get("allowCredentials", []) == []


def test_a_disabled_user_cannot_sign_in(client: Client, clinician: User, key: Authenticator) -> None:
    User.objects.update(is_active=False)

    page = client.get(sign_in(client, key)["Location"])

    assert "That passkey did not work here" in page.content.decode()
    assert "_auth_user_id" not in client.session


def test_without_a_clinic_there_is_the_clear_page(client: Client, clinician: User, key: Authenticator) -> None:
    clinician.memberships.all().delete()

    assert sign_in(client, key)["Location"] == reverse("accounts:no-clinic")


# --- what is forged, old, or used


FORGED: list[dict[str, Any]] = [
    {"userHandle": ""},
    {"userHandle": "AAAA"},
    {"signature": "MEUCIQ"},
    {"authenticatorData": "AAAA"},
    {"clientDataJSON": "e30"},
]


@pytest.mark.parametrize("changed", FORGED)
def test_what_is_forged_is_refused_in_words(
    client: Client, clinician: User, key: Authenticator, changed: dict[str, Any]
) -> None:
    refused = client.post(PASSKEY_SIGNIN, {"credential": answer(client, key, **changed)})

    assert refused["Location"].startswith(SIGNIN)
    assert not is_in(client, clinician)
    assert last("user.signin").outcome == AuditEvent.Outcome.MINOR_FAILURE


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:8001", "https://localhost"])
def test_an_answer_given_to_another_site_is_refused(
    client: Client, clinician: User, key: Authenticator, origin: str
) -> None:
    key.origin = origin

    sign_in(client, key)

    assert not is_in(client, clinician)


def test_a_clone_is_noticed(client: Client, clinician: User, key: Authenticator) -> None:
    sign_in(client, key)
    key.count = 0
    clone = Client()

    sign_in(clone, key)

    assert not is_in(clone, clinician)
    assert last("user.signin").detail == {"step": "passkey", "reason": "sign-count"}


def test_synced_passkeys_that_do_not_count_work_again(client: Client, clinician: User, key: Authenticator) -> None:
    key.counts = False
    for browser in (client, Client()):
        sign_in(browser, key)
        assert is_in(browser, clinician)


def test_an_answer_works_once_in_one_session_for_five_minutes(
    client: Client, clinician: User, key: Authenticator, monkeypatch: Any
) -> None:
    key.counts = False
    given = answer(client, key)
    thief = Client()
    thief.post(OPTIONS)
    thief.post(PASSKEY_SIGNIN, {"credential": given})
    assert not is_in(thief, clinician)

    client.post(PASSKEY_SIGNIN, {"credential": given})
    assert is_in(client, clinician)
    client.post("/signout/")
    client.post(PASSKEY_SIGNIN, {"credential": given})
    assert not is_in(client, clinician)

    late = answer(client, key)
    now = time.time() + passkeys.CHALLENGE_LASTS + 1
    monkeypatch.setattr("accounts.passkeys.services.time.time", lambda: now)
    client.post(PASSKEY_SIGNIN, {"credential": late})
    assert not is_in(client, clinician)


def test_a_challenge_for_enrolling_is_none_for_signing_in(client: Client, clinician: User, key: Authenticator) -> None:
    give_password(client, clinician)
    options = client.post(OPTIONS).json()

    client.post(PASSKEY_SIGNIN, {"credential": key.answer(options)})

    assert not is_in(client, clinician)


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_posts_of_one_answer_bring_one_in(clinician: User, key: Authenticator) -> None:
    """Row 11 of the checklist: what answers one challenge works once."""
    key.counts = False
    first = Client()
    give_password(first, clinician)
    given = answer(first, key)
    browsers = [Client() for _ in range(20)]
    for browser in browsers:
        browser.cookies = first.cookies.copy()  # type: ignore[assignment]

    at_once([lambda browser=browser: browser.post(CODE, {"credential": given}) for browser in browsers])  # type: ignore[misc]

    assert AuditEvent.objects.filter(subtype="mfa.verify", outcome="0").count() == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(text=st.text() | st.dictionaries(st.sampled_from(["id", "rawId", "type", "response"]), json_values).map(str))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_refused_and_breaks_nothing(client: Client, clinic: Clinic, text: str) -> None:
    client.post(OPTIONS)
    cache.clear()

    assert client.post(PASSKEY_SIGNIN, {"credential": text})["Location"].startswith(SIGNIN)


def test_asking_for_challenges_is_limited(client: Client, clinic: Clinic) -> None:
    statuses = {client.post(OPTIONS).status_code for _ in range(61)}

    assert statuses == {200, 429}


def test_resetting_takes_passkeys_too(client: Client, clinician: User, key: Authenticator) -> None:
    sign_in(client, key)

    assert mfa.reset(clinician, by=User(name="Ada")) == 2  # the passkey and the recovery codes

    assert not is_in(client, clinician)
    assert give_password(client, clinician)["Location"] == SETUP


def test_good_sign_ins_count_as_no_guess(clinician: User, key: Authenticator) -> None:
    """Row 12 of the checklist: after fifty good sign-ins no device of the person waits."""
    phones = [phone_of(clinician) for _ in range(3)]
    for n in range(50):
        phone = phones[n % 3]
        type(phone).objects.update(last_t=-1)
        browser = Client()
        give_password(browser, clinician)
        browser.post(CODE, {"code": code_of(phone)})
        assert is_in(browser, clinician)


@pytest.mark.parametrize("which", [0, 1])
def test_wrong_codes_make_all_phones_wait(clinician: User, key: Authenticator, which: int) -> None:
    """Row 12 of the checklist: with a second phone there are no more guesses at the first."""
    phones = [phone_of(clinician) for _ in range(2)]
    guesser = Client()
    give_password(guesser, clinician)
    shown = {code_of(phone) for phone in phones}
    wrong = next(code for code in (f"{n:06}" for n in range(100)) if code not in shown)
    for _ in range(guessing.CODE_TIMES):
        guesser.post(CODE, {"code": wrong})

    guesser.post(CODE, {"code": code_of(phones[which])})

    assert not is_in(guesser, clinician)
    cache.clear()
    guesser.post(CODE, {"code": code_of(phones[which])})
    assert is_in(guesser, clinician)
