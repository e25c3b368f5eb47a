"""Step-up: what matters much asks for the second factor again, and loses nothing that was typed."""

import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from accounts.doors import for_verified
from accounts.login.stepup import fresh_factor, is_fresh
from accounts.mfa import services as mfa
from accounts.models import AuditEvent, User
from telehealth.urls import urlpatterns as our_patterns
from tests.conftest import recovery_codes

PAGE = "/important/"
ASKED = "Confirm that it is you"


@for_verified
@fresh_factor
def important(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} {sorted(request.POST.lists())}")


urlpatterns = [path("important/", important), *our_patterns]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def stale(verified: Callable[[User], Client], clinician: User) -> Client:
    """The clinician's browser, eleven minutes after the second factor."""
    return grow_stale(verified(clinician))


def grow_stale(client: Client, minutes: float = 11) -> Client:
    session = client.session
    session[mfa.SESSION_CONFIRMED] = time.time() - minutes * 60
    session.save()
    return client


def code_of(user: User) -> str:
    device = mfa.totp_of(user)
    assert device
    totp = device.totp
    totp.time = time.time()
    return f"{totp.token():06d}"


def answer(page: HttpResponse, **typed: str) -> dict[str, Any]:
    """What the page that asks sends, with what was typed into it."""
    hidden: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">', page.content.decode()):
        if name != "csrfmiddlewaretoken":
            hidden.setdefault(name, []).append(unescape(value))
    return hidden | {f"stepup-{name}": value for name, value in typed.items()}


def test_a_fresh_factor_passes(verified: Any, clinician: User) -> None:
    assert verified(clinician).get(PAGE).content == b"GET []"
    assert grow_stale(verified(clinician), 9.9).get(PAGE).content == b"GET []"


def test_a_page_is_asked_before_and_shown_after(stale: Client, clinician: User) -> None:
    """Row 14 of the checklist: what changes factors needs the second factor again."""
    asked = stale.get(PAGE)
    assert ASKED in asked.content.decode()

    confirmed = stale.post(PAGE, answer(asked, code=code_of(clinician)))

    assert confirmed["Location"] == PAGE
    assert stale.get(PAGE).content == b"GET []"
    event = AuditEvent.objects.get(subtype="mfa.verify")
    assert (event.outcome, event.user) == (AuditEvent.Outcome.SUCCESS, clinician)


def test_nothing_that_a_form_sent_is_lost(stale: Client, clinician: User) -> None:
    typed = {"reason": "“Fever” & <b>cough</b>", "days": ["1", "2"]}
    asked = stale.post(PAGE, typed)
    assert ASKED in asked.content.decode()

    wrong = stale.post(PAGE, answer(asked, code="000000" if code_of(clinician) != "000000" else "111111"))
    assert "That code did not work" in wrong.content.decode()
    done = stale.post(PAGE, answer(wrong, code=code_of(clinician)))

    assert done.content.decode() == f"POST {[('days', ['1', '2']), ('reason', [typed['reason']])]}"


def test_nothing_typed_stays_on_the_server(stale: Client) -> None:
    stale.post(PAGE, {"reason": "canary"})

    assert "canary" not in str(dict(stale.session.items()))


def test_a_recovery_code_confirms_too_and_is_used_up(verified: Callable[[User], Client], clinician: User) -> None:
    codes = recovery_codes(clinician)
    stale = grow_stale(verified(clinician))
    asked = stale.get(PAGE)

    stale.post(PAGE, answer(asked, recovery_code=codes[0].lower()))

    assert stale.get(PAGE).content == b"GET []"
    assert mfa.recovery_codes_left(clinician) == 9


@pytest.mark.parametrize("typed", [{}, {"code": "12345"}, {"code": "x"}, {"recovery_code": "no"}, {"code": "\0"}])
def test_what_is_no_code_is_refused_in_words(stale: Client, typed: dict[str, str]) -> None:
    page = stale.post(PAGE, answer(stale.get(PAGE), **typed))

    assert "There is a problem" in page.content.decode()
    assert "mfa.verify" not in AuditEvent.objects.values_list("subtype", flat=True)


def test_another_persons_code_confirms_nothing(stale: Client, verified: Any, front_desk: User) -> None:
    verified(front_desk)

    stale.post(PAGE, answer(stale.get(PAGE), code=code_of(front_desk)))

    assert ASKED in stale.get(PAGE).content.decode()


def test_confirming_in_one_browser_does_not_open_another(stale: Client, verified: Any, clinician: User) -> None:
    elsewhere = grow_stale(verified(clinician))

    stale.post(PAGE, answer(stale.get(PAGE), code=code_of(clinician)))

    assert ASKED in elsewhere.get(PAGE).content.decode()


def test_who_has_not_given_a_second_factor_is_not_asked_but_sent_to_sign_in(
    client: Client, password_only: Any, clinician: User
) -> None:
    for browser in (client, password_only(clinician)):
        assert browser.get(PAGE)["Location"].startswith("/signin/")
        assert browser.post(PAGE, {"stepup-method": "POST", "stepup-code": "000000"}).status_code == 403


def test_the_clock_set_back_makes_nothing_fresh(stale: Client, clinician: User, rf: Any) -> None:
    grow_stale(stale, -5)

    assert ASKED in stale.get(PAGE).content.decode()
    request = rf.get("/")
    request.user, request.session = clinician, stale.session
    assert not is_fresh(request)
