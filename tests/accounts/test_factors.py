"""One's own second factors: listed, added, renamed, removed; and whom that is told."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from accounts.mfa import factors, notices
from accounts.mfa import services as mfa
from accounts.mfa.kinds import Kind
from accounts.mfa.tasks import mail_change
from accounts.models import AuditEvent, User
from tests.accounts.authenticator import Authenticator
from tests.accounts.test_passkeys import ENROL_OPTIONS, key  # noqa: F401

PAGE = "/factors/"
ASKED = "Confirm that it is you"


@pytest.fixture(autouse=True)
def counters_begin_anew() -> None:
    cache.clear()


@pytest.fixture
def told(monkeypatch: Any, django_capture_on_commit_callbacks: Any) -> list[tuple[str, ...]]:
    """What workers are to mail: (user, change, kind)."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr("accounts.mfa.tasks.mail_change.delay", lambda *about: found.append(about))
    monkeypatch.setattr("accounts.mfa.notices.transaction.on_commit", lambda call, **options: call())
    return found


def grow_stale(client: Client) -> Client:
    session = client.session
    session[mfa.SESSION_CONFIRMED] = time.time() - 11 * 60
    session.save()
    return client


def code_for(hex_key: str) -> str:
    totp = TOTP(bytes.fromhex(hex_key))
    totp.time = time.time()
    return f"{totp.token():06d}"


def add_passkey(client: Client, name: str = "") -> Any:
    made = Authenticator().enrol(client.post(ENROL_OPTIONS).json())
    return client.post(reverse("accounts:factor-passkey"), {"credential": made, "name": name})


def page_of(factor: factors.Factor) -> str:
    return reverse("accounts:factor", args=[factor.key])


def test_the_page_lists_names_kinds_and_days(verified: Any, clinician: User) -> None:
    browser = verified(clinician)
    add_passkey(browser, "My laptop")

    page = re.sub(r"\s+", " ", browser.get(PAGE).content.decode())

    for words in ("phone", "Authenticator app", "My laptop", "Passkey", "Added ", "No codes left."):
        assert words in page
    assert mfa.phones_of(clinician)[0].key not in page


def test_a_passkey_and_another_phone_are_added_and_told(
    verified: Any, clinician: User, told: list[tuple[str, ...]]
) -> None:
    browser = verified(clinician)

    assert add_passkey(browser)["Location"] == PAGE
    browser.get(reverse("accounts:factor-phone"))
    added = browser.post(reverse("accounts:factor-phone"), {"code": code_for(browser.session["mfa_key"])})

    assert added["Location"] == PAGE
    assert [factor.kind for factor in factors.factors_of(clinician)] == [Kind.PHONE, Kind.PASSKEY, Kind.PHONE]
    assert told == [(str(clinician.pk), "added", "passkey"), (str(clinician.pk), "added", "totp")]
    details = AuditEvent.objects.filter(subtype="mfa.enrol").order_by("id").values_list("detail", flat=True)
    assert list(details) == [{"kind": "passkey"}, {"kind": "totp"}]


def add_phone(client: Client) -> Any:
    client.get(reverse("accounts:factor-phone"))
    return client.post(reverse("accounts:factor-phone"), {"code": code_for(client.session["mfa_key"])})


def make_codes(client: Client) -> Any:
    return client.post(reverse("accounts:recovery-codes"))


@pytest.mark.parametrize("add", [add_phone, add_passkey, make_codes])
def test_adding_one_ends_all_sessions_but_this(
    verified: Any, clinician: User, stranger: User, add: Callable[[Client], Any]
) -> None:
    """Row 14 of the checklist: a changed factor ends what was open with the others; and it is said."""
    browser, elsewhere, other = verified(clinician), verified(clinician), verified(stranger)

    add(browser)

    if add is not make_codes:  # the page before has said so
        assert "You are signed out everywhere else." in browser.get(PAGE).content.decode()
    assert browser.get(PAGE).status_code == 200
    assert elsewhere.get(PAGE).status_code == 302
    assert other.get(PAGE).status_code == 200
    ended = AuditEvent.objects.get(subtype="session.end-all")
    assert (ended.user, ended.detail) == (clinician, {"why": "factor", "sessions": 1})


def test_a_wrong_code_adds_no_phone(verified: Any, clinician: User) -> None:
    browser = verified(clinician)
    browser.get(reverse("accounts:factor-phone"))
    right = code_for(browser.session["mfa_key"])

    page = browser.post(reverse("accounts:factor-phone"), {"code": "000000" if right != "000000" else "111111"})

    assert "That code did not work" in page.content.decode()
    assert len(factors.factors_of(clinician)) == 1


def test_renaming(verified: Any, clinician: User) -> None:
    browser = verified(clinician)
    factor = factors.factors_of(clinician)[0]

    assert "Enter a name." in browser.post(page_of(factor), {"name": " "}).content.decode()
    assert browser.post(page_of(factor), {"name": "Work phone"})["Location"] == PAGE

    assert "Work phone" in browser.get(PAGE).content.decode()
    assert AuditEvent.objects.get(subtype="mfa.rename").detail == {"kind": "totp"}


def test_removing_ends_what_it_opened_but_for_this_session(
    verified: Any, clinician: User, told: list[tuple[str, ...]]
) -> None:
    """Row 14 of the checklist: a factor that is taken away ends the sessions that it opened."""
    browser, elsewhere = verified(clinician), verified(clinician)
    add_passkey(browser)
    phone = factors.factors_of(clinician)[0]

    assert browser.post(page_of(phone), {"remove": "yes"})["Location"] == PAGE

    assert browser.get(PAGE).status_code == 200
    assert elsewhere.get(PAGE).status_code == 302
    assert [factor.kind for factor in factors.factors_of(clinician)] == [Kind.PASSKEY]
    assert told[-1] == (str(clinician.pk), "removed", "totp")
    assert AuditEvent.objects.get(subtype="mfa.remove").detail == {"kind": "totp"}


def test_the_last_one_stays(verified: Any, clinician: User) -> None:
    browser = verified(clinician)
    only = factors.factors_of(clinician)[0]
    assert "This is your only second factor." in browser.get(page_of(only)).content.decode()

    page = browser.post(page_of(only), {"remove": "yes"}, follow=True)

    assert "Add another one first." in page.content.decode()
    assert len(factors.factors_of(clinician)) == 1


@pytest.mark.parametrize("name", ["accounts:factor-phone", "accounts:factor-passkey", "factor"])
def test_each_change_needs_a_fresh_factor(verified: Any, clinician: User, name: str) -> None:
    """Row 14 of the checklist: changing factors needs the second factor again."""
    browser = grow_stale(verified(clinician))
    url = page_of(factors.factors_of(clinician)[0]) if name == "factor" else reverse(name)

    assert browser.get(PAGE).status_code == 200
    for page in (browser.get(url), browser.post(url, {"name": "x", "remove": "yes", "code": "000000"})):
        assert ASKED in page.content.decode()
    assert not AuditEvent.objects.filter(subtype__startswith="mfa.").exists()


def test_new_recovery_codes_need_a_fresh_factor_and_are_told(
    verified: Any, clinician: User, told: list[tuple[str, ...]]
) -> None:
    browser = grow_stale(verified(clinician))
    assert ASKED in browser.post(reverse("accounts:recovery-codes")).content.decode()
    browser = verified(clinician)

    browser.post(reverse("accounts:recovery-codes"))

    assert told == [(str(clinician.pk), "codes-made", "recovery-codes")]


def test_another_persons_factor_does_not_exist(verified: Any, clinician: User, stranger: User) -> None:
    verified(stranger)
    theirs = factors.factors_of(stranger)[0]
    browser = verified(clinician)

    for url in (page_of(theirs), "/factors/key-1/", "/factors/phone-x/"):
        assert browser.get(url).status_code == 404
        assert browser.post(url, {"name": "Mine", "remove": "yes"}).status_code == 404


def test_strangers_see_none_of_it(client: Client, password_only: Callable[[User], Client], clinician: User) -> None:
    for browser in (client, password_only(clinician)):
        for url in (PAGE, "/factors/phone/", "/factors/passkey/", "/factors/phone-1/"):
            assert browser.get(url)["Location"].startswith("/signin/")
            assert browser.post(url, {}).status_code == 403


def test_a_mail_server_that_is_away_is_tried_again(clinician: User, monkeypatch: Any) -> None:
    down = [OSError()]

    def late(*given: Any) -> None:
        if down:
            raise down.pop()
        mail.send_mail(*given)

    monkeypatch.setattr("accounts.mfa.notices.send_mail", late)

    mail_change.apply([str(clinician.pk), "added", "passkey"])

    assert [message.to for message in mail.outbox] == [[clinician.email]]


@pytest.mark.parametrize("change", list(notices.Change))
@pytest.mark.parametrize("language", ["en", "es"])
def test_mail_is_in_the_persons_language_and_has_no_secret(
    clinician: User, change: notices.Change, language: str
) -> None:
    clinician.language = language
    clinician.save()

    mail_change(str(clinician.pk), str(change), "passkey")

    message = mail.outbox[-1]
    assert message.to == [clinician.email]
    subject = {"en": "how you sign in has changed", "es": "cambió su forma de iniciar sesión"}[language]
    assert message.subject == f"Riverside Family Clinic: {subject}"
    # Who reads the old mailbox of a changed address gets no way to a new password.
    assert (reverse("accounts:password-forgotten") in message.body) is (change != notices.Change.ADDRESS)
    assert clinician.name not in message.body
