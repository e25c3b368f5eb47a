"""Where one is signed in, in browsers: ended from the list, warned before the time is up, covered when it is."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Clinic, Patient, Session, User
from accounts.policy import Role
from tests import factories
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.party import make_account, sign_in

pytestmark = pytest.mark.e2e

# A page's own socket and the session's, at which the server knows the session by now.
OPEN = "() => window.tries.filter(({welcomed, ended}) => welcomed && !ended).length === 2"
CUT = "() => window.sockets.forEach((socket) => socket.close(3000))"


def signed_in(page: Page, user: User) -> Page:
    steps.carry_session(page, verify(Client(), user))
    return page


def last_active(user: User, *, minutes_ago: int) -> None:
    """Of the 15 that a clinician has."""
    seen = timezone.now() - timedelta(minutes=minutes_ago)
    Session.objects.filter(user=user).update(seen_at=seen, expires_at=seen + timedelta(minutes=15))


def test_a_session_that_is_ended_from_the_list_covers_its_page_at_once(
    person: Callable[..., Page], clinician: User
) -> None:
    here, there = signed_in(person("here"), clinician), signed_in(person("there", **SMALL), clinician)
    there.goto("/today/")
    expect(there.get_by_role("heading", level=1)).to_be_visible()
    there.wait_for_function(OPEN)

    here.goto("/sessions/")
    expect(here.locator("main li")).to_have_count(2)
    expect(here.locator("main")).to_contain_text("This one")
    look(here)
    here.locator("main li").get_by_role("button").press("Enter")
    expect(here.locator("main")).to_contain_text("That session is ended.")
    expect(here.locator("main li")).to_have_count(1)

    dialog = there.locator("#session")
    expect(dialog).to_be_visible(timeout=5000)
    expect(dialog).to_contain_text("You are signed out")
    expect(dialog.locator("h2")).to_be_focused()
    look(there)
    there.keyboard.press("Escape")
    there.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.get_by_role("link", name="Sign in").click()
    there.wait_for_url("**/signin/?next=%2Ftoday%2F")


def test_who_does_nothing_is_warned_and_stays_by_one_press(person: Callable[..., Page], clinician: User) -> None:
    lee = signed_in(person("lee"), clinician)
    lee.goto("/calendar/")
    expect(lee.get_by_role("heading", level=1)).to_be_visible()
    dialog = lee.locator("#session")
    expect(dialog).to_be_hidden()

    last_active(clinician, minutes_ago=13)
    expect(dialog).to_be_visible(timeout=20_000)
    expect(dialog).to_contain_text("Are you still there?")
    look(lee)
    dialog.get_by_role("button", name="Stay signed in").press("Enter")

    expect(dialog).to_be_hidden()
    lee.wait_for_timeout(3000)
    expect(dialog).to_be_hidden()
    assert Session.objects.get(user=clinician).seen_at > timezone.now() - timedelta(minutes=1)


@pytest.mark.parametrize("width", [390, 1440])
def test_who_is_signed_in_to_a_patients_account_is_warned_too(
    person: Callable[..., Page], patient: Patient, width: int
) -> None:
    account = make_account(patient)
    rosa = person("rosa", viewport={"width": width, "height": 900})
    steps.carry_session(rosa, sign_in(account))
    rosa.goto("/me/")
    expect(rosa.get_by_role("heading", name="My visits")).to_be_visible()
    dialog = rosa.locator("#session")

    Session.objects.filter(user=account).update(expires_at=timezone.now() + timedelta(seconds=100))
    expect(dialog).to_be_visible(timeout=20_000)
    expect(dialog).to_contain_text("Are you still there?")
    look(rosa)
    dialog.get_by_role("button", name="Stay signed in").press("Enter")
    expect(dialog).to_be_hidden()

    Session.objects.filter(user=account).update(expires_at=timezone.now())
    expect(dialog).to_contain_text("Nobody did anything here for a while", timeout=20_000)
    look(rosa)


def test_who_does_nothing_at_all_is_signed_out_and_comes_back_to_the_page(
    person: Callable[..., Page], clinician: User
) -> None:
    lee = signed_in(person("lee"), clinician)
    lee.goto("/today/")
    expect(lee.get_by_role("heading", level=1)).to_be_visible()
    lee.wait_for_function(OPEN)

    last_active(clinician, minutes_ago=16)

    dialog = lee.locator("#session")
    expect(dialog).to_contain_text("Nobody did anything here for a while", timeout=20_000)
    lee.goto("/today/")
    expect(lee).to_have_url(re.compile(r"/signin/\?.*next=%2Ftoday%2F"))
    expect(lee.locator("main")).to_contain_text("You were signed out.")


def test_the_sockets_come_back_in_a_tab_of_before_somebody_signed_in_elsewhere(
    person: Callable[..., Page], clinician: User
) -> None:
    """Whose token is none any more: tickets are fetched with another."""
    lee = signed_in(person("lee"), clinician)
    lee.goto("/today/")
    lee.wait_for_function(OPEN)
    asked: list[tuple[str, int]] = []
    lee.on("response", lambda got: "ticket" in got.url and asked.append((got.request.method, got.status)))

    lee.context.clear_cookies(name="csrf")
    lee.evaluate(CUT)
    lee.wait_for_function(OPEN)
    assert {("POST", 403), ("GET", 200), ("POST", 200)} == set(asked)
    assert {attempt["code"] for attempt in lee.evaluate("() => window.tries") if "code" in attempt} == {3000}

    asked.clear()
    lee.evaluate(CUT)
    lee.wait_for_function(OPEN)
    assert set(asked) == {("POST", 200)}, "it keeps the good one"


@pytest.mark.parametrize(
    ("language", "title", "button"),
    [("en", "Are you still there?", "Stay signed in"), ("es", "¿Sigue ahí?", "Seguir con la sesión abierta")],
)
def test_the_admins_pages_warn_and_can_be_stayed_on(
    person: Callable[..., Page], clinic: Clinic, language: str, title: str, button: str
) -> None:
    ada = factories.make_member(clinic, Role.CLINIC_ADMIN, name="Ada Admin", is_staff=True, language=language)
    page = signed_in(person("ada", **SMALL), ada)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if said.type in {"error", "warning"} else None)
    page.goto("/admin/accounts/patient/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    dialog = page.locator("#session")
    expect(dialog).to_be_hidden()
    page.wait_for_timeout(1000)
    assert refused == []

    last_active(ada, minutes_ago=13)
    expect(dialog).to_be_visible(timeout=20_000)
    expect(dialog).to_contain_text(title)
    expect(dialog.locator("h2")).to_be_focused()
    expect(dialog.get_by_role("button")).to_have_count(2)
    look(page)
    dialog.get_by_role("button", name=button).press("Enter")

    expect(dialog).to_be_hidden()
    page.wait_for_timeout(3000)
    expect(dialog).to_be_hidden()
    assert Session.objects.get(user=ada).seen_at > timezone.now() - timedelta(minutes=1)

    last_active(ada, minutes_ago=16)
    expect(dialog.locator("a[data-for=ended]")).to_be_visible(timeout=20_000)
    look(page)
    dialog.locator("a[data-for=ended]").click()
    expect(page).to_have_url(re.compile(r"/signin/\?next=%2Fadmin%2Faccounts%2Fpatient%2F"))
