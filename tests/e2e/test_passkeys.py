"""Passkeys in a browser with a virtual authenticator: enrolled, as second factor, and alone."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Page, expect

from accounts.mfa.services import SESSION_CONFIRMED
from accounts.models import Session, User
from accounts.sessions.store import SessionStore
from tests.factories import PASSWORD
from visits.booking.models import Appointment

pytestmark = pytest.mark.e2e
PICTURES = settings.BASE_DIR / ".data" / "passkey-pictures"


@pytest.fixture
def page(person: Callable[..., Page], site: str, monkeypatch: pytest.MonkeyPatch) -> Page:
    """A browser with a passkey provider that always says yes."""
    monkeypatch.setattr(settings, "OTP_WEBAUTHN_ALLOWED_ORIGINS", [site])
    page = person("Amara")
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def give_password(page: Page, user: User) -> None:
    page.goto("/signin/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()


def sign_out(page: Page) -> None:
    page.context.clear_cookies()


def look_at(page: Page, name: str) -> None:
    """Both schemes and widths: pictures to look at, nothing wider than the page, nothing for axe to say."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in (320, 390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
            if width > 320:
                page.screenshot(path=Path(PICTURES / f"{name}-{width}-{scheme}.png"), full_page=True)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="light")


def test_enrol_second_factor_and_passwordless(page: Page, visit: Appointment) -> None:
    """Row 34 of the checklist: signing in and one's own factors."""
    user = visit.practitioner.user
    assert user
    policies: list[Any] = []
    page.on("console", lambda message: "Content Security Policy" in message.text and policies.append(message.text))

    give_password(page, user)
    page.wait_for_url(re.compile("/mfa/setup/$"))
    look_at(page, "setup")
    page.get_by_role("button", name="Use a passkey instead").click()
    page.get_by_label("I have saved them").check()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(re.compile("/today/$"))

    sign_out(page)
    give_password(page, user)
    page.wait_for_url(re.compile("/mfa/$"))
    look_at(page, "code-passkey")
    page.get_by_role("button", name="Use my passkey").click()
    page.wait_for_url(re.compile("/today/$"))

    sign_out(page)
    page.goto("/signin/?next=/calendar/")
    look_at(page, "signin")
    page.get_by_role("button", name="Sign in with a passkey").press("Enter")
    page.wait_for_url(re.compile("/calendar/"))
    assert policies == []


def test_a_device_without_a_passkey_is_told_so_and_nothing_is_lost(page: Page, clinician: User) -> None:
    page.goto("/signin/")
    page.get_by_label("E-mail").fill(clinician.email)

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_text("No passkey was used.")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value(clinician.email)
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_focused()


def test_own_factors_by_keyboard(page: Page, clinician: User) -> None:
    give_password(page, clinician)
    page.get_by_role("button", name="Use a passkey instead").click()
    page.get_by_label("I have saved them").check()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(re.compile("/today/$"))

    page.locator("summary.me").press("Enter")
    page.get_by_role("link", name="How you sign in").press("Enter")
    page.wait_for_url(re.compile("/factors/$"))
    look_at(page, "factors")
    page.get_by_role("link", name="Add a passkey").press("Enter")
    look_at(page, "factor-passkey")
    page.get_by_role("button", name="Add a passkey").press("Enter")
    expect(page.get_by_text("This device has a passkey for you already.")).to_be_visible()
    page.get_by_role("link", name="Back").press("Enter")
    page.get_by_role("link", name=re.compile("^Change.*Passkey")).press("Enter")
    page.get_by_label("Name").fill("Office computer")
    look_at(page, "factor")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.get_by_text("Office computer", exact=True)).to_be_visible()

    # Eleven minutes later it asks again, and takes the passkey.
    for session in Session.objects.all():
        store = SessionStore.of(session.pk)
        store[SESSION_CONFIRMED] = time.time() - 11 * 60
        store.save()
    page.get_by_role("link", name="Add an authenticator app").press("Enter")
    look_at(page, "stepup")
    page.get_by_role("button", name="Use my passkey").press("Enter")
    expect(page.get_by_role("heading", name="Add an authenticator app")).to_be_visible()
    look_at(page, "factor-phone")
