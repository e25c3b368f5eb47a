"""The pages of accounts, of patients' accounts, of the dashboard and of the admin by the Tab key alone.

Each thing that can be used is reached, in the order in which it stands in the page; one sees where one is; nothing
holds one fast; and a dialog closes by Escape and gives the focus back.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.tokens import default_token_generator
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.mfa.services import SESSION_CONFIRMED
from accounts.models import Clinic, Session, TOTPDevice, User
from accounts.policy import Role
from tests import factories
from tests.conftest import verify
from tests.dashboard.conftest import Fill, fill  # noqa: F401
from tests.e2e import steps
from tests.e2e.test_invitations import link_for
from tests.party import browser, make_account, make_link, sign_in
from tests.patients.conftest import code_sent
from visits.booking.models import Appointment
from visits.schedule.hours import day_of

pytestmark = pytest.mark.e2e

KEYS = (Path(__file__).parent / "keys.js").read_text()
HOLDS_FAST = 60  # presses that lead nowhere: more than the longest page has parts of dates


def walk(page: Page, name: str) -> int:
    """From the top of the page to its end by Tab; returns how many stops there were."""
    page.wait_for_load_state()
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # for autofocus
    stops: int = page.evaluate(KEYS)
    for _press in range(stops + HOLDS_FAST):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.tagName") == "IFRAME":  # another process, which takes its time
            page.wait_for_timeout(300)
        said = page.evaluate("keys.arrive()")
        if str(said).startswith("left before <iframe"):  # another process: it takes a moment until the focus is there
            page.wait_for_timeout(300)
            said = page.evaluate("keys.arrive()")
        if said == "end":
            return stops
        assert said is None, f"{name}: {said}"
    raise AssertionError(f"{name}: the keyboard is held fast")


def enter(page: Page, client: Client | None) -> None:
    """As who the client is, or as a stranger."""
    page.context.clear_cookies()
    if client:
        steps.carry_session(page, client)


def see(page: Page, *addresses: str) -> Iterator[str]:
    for address in addresses:
        page.goto(address)
        yield address


def signing_in(page: Page, clinic: Clinic, clinician: User) -> Iterator[str]:
    """Pages of who is on the way in."""
    enter(page, None)
    token = default_token_generator.make_token(clinician)
    yield from see(page, "/signin/?ended", "/password/forgotten/", f"/password/{clinician.pk}/{token}/")
    yield from see(page, f"/password/{clinician.pk}/nothing/", "/link-needed/", "/v/nothing/", "/nowhere/")
    yield from see(page, link_for(clinic, "nia@example.org"), link_for(clinic, factories.make_user().email))
    yield from see(page, "/invitation/nothing/")
    page.goto("/signin/")
    page.locator("[name=email]").press("Enter")
    yield "/signin/ with a problem"
    page.goto("/password/forgotten/")
    page.locator("[name=email]").fill("nobody@example.org")
    page.locator("[name=email]").press("Enter")
    yield "/password/forgotten/ mailed"
    for member in (factories.make_user(), factories.make_member(clinic, Role.FRONT_DESK)):
        enter(page, sign_in(member))
        yield from see(page, "/no-clinic/" if member.memberships.count() == 0 else "/mfa/setup/")
    TOTPDevice.objects.create(user=member, name="phone", confirmed=True)
    yield from see(page, "/mfa/", "/mfa/?recovery")


def own_account(page: Page, clinic: Clinic, clinician: User) -> Iterator[str]:
    """Pages of one's own factors, sessions and password."""
    client = verify(Client(), clinician)
    enter(page, client)
    factor = f"/factors/phone-{TOTPDevice.objects.get(user=clinician).pk}/"
    yield from see(page, "/factors/", "/factors/phone/", "/factors/passkey/", factor, "/sessions/", "/password/")
    yield from see(page, "/mfa/recovery-codes/", link_for(clinic, clinician.email))
    page.goto("/mfa/recovery-codes/")
    page.locator("main form button").last.press("Enter")
    expect(page.locator("main [name=saved]")).to_be_visible()
    yield "/mfa/recovery-codes/ new"
    session = client.session
    session[SESSION_CONFIRMED] = 0
    session.save()
    yield from see(page, "/factors/phone/")
    yield from see(page, f"/patients/{factories.make_patient(clinic).pk}/emergency/")
    page.goto("/password/")
    Session.objects.all().delete()
    page.evaluate("document.querySelector('main form').submit()")
    expect(page.locator("main form")).to_have_count(0)
    yield "a form that comes too late"


def records(page: Page, clinic_admin: User, visit: Appointment) -> Iterator[str]:
    """The dashboard, records, who acts for a patient, and their account."""
    enter(page, verify(Client(), clinic_admin))
    patient = visit.patient
    proxy = factories.make_proxy(patient)
    yield from see(page, "/dashboard/", "/records/", f"/records/{patient.pk}/", f"/records/{patient.pk}/erase/")
    yield from see(page, f"/patients/{patient.pk}/account/", f"/patients/{patient.pk}/proxies/")
    yield from see(page, f"/patients/{patient.pk}/proxies/new/", f"/proxies/{proxy.pk}/", "/today/nowhere/")


def patients_account(page: Page, visit: Appointment) -> Iterator[str]:
    """From the link in a mail to the end of the account."""
    cache.clear()
    link, patient = f"/my/{visit.pk}", visit.patient
    enter(page, browser(make_link(visit)))
    yield from see(page, f"{link}/looks/", f"{link}/record/", f"{link}/visits/", f"{link}/account/")
    page.locator("main form button").last.press("Enter")
    expect(page.locator("main [name=code]")).to_be_visible()
    yield "the code of the claim"
    account = make_account(patient)
    page.context.clear_cookies()
    yield from see(page, "/me/signin/?ended")
    page.locator("[name=email]").fill(patient.email)
    page.locator("[name=email]").press("Enter")
    expect(page.locator("main [name=code]")).to_be_visible()
    yield "the code of a sign-in"
    twin = factories.make_patient(visit.clinic, given_name="Luz", email=patient.email)
    make_account(twin)
    page.locator("[name=code]").fill(code_sent())
    page.locator("[name=birth_date]").fill("3/14/1979")
    page.locator("[name=birth_date]").press("Enter")
    expect(page.locator("main [name=account]")).to_have_count(2)
    yield "which account"
    enter(page, sign_in(account))
    yield from see(page, "/me/", "/me/account/", "/me/account/end/", "/mfa/setup/")
    TOTPDevice.objects.create(user=account, name="phone", confirmed=True)
    enter(page, verify(Client(), account))
    yield from see(page, "/me/account/", "/factors/")


def the_admin(page: Page, administrator: User) -> Iterator[str]:
    """The index; each list, form and row that there is, and a question before an action."""
    enter(page, verify(Client(), administrator))
    yield from see(page, "/admin/", reverse("admin:accounts_patient_import"), reverse("admin:accounts_patient_export"))
    yield from see(page, reverse("admin:reminders_communication_preview"))
    for model in admin.site._registry:
        label = model._meta.label_lower.replace(".", "_")
        yield from see(page, reverse(f"admin:{label}_changelist"))
        if page.locator(".object-tools .addlink").count():
            yield from see(page, reverse(f"admin:{label}_add"))
        if row := model._default_manager.first():
            yield from see(page, reverse(f"admin:{label}_change", args=[row.pk]))
    page.goto(reverse("admin:accounts_user_changelist"))
    page.locator(".action-select").first.check()
    page.get_by_label("Action:").select_option(value="shut_out")
    page.get_by_role("button", name="Go").press("Enter")
    expect(page.get_by_role("button", name="Yes, do it")).to_be_visible()
    yield "the question before an action"


def every_page(page: Page, visit: Appointment, clinician: User, clinic_admin: User) -> Iterator[str]:
    administrator = factories.make_member(visit.clinic, Role.CLINIC_ADMIN, is_staff=True, is_superuser=True)
    yield from signing_in(page, visit.clinic, clinician)
    yield from own_account(page, visit.clinic, clinician)
    yield from records(page, clinic_admin, visit)
    yield from patients_account(page, visit)
    yield from the_admin(page, administrator)


def test_every_page_by_the_tab_key(
    person: Callable[..., Page], visit: Appointment, clinician: User, clinic_admin: User, fill: Fill  # noqa: F811
) -> None:  # fmt: skip
    """Row 34 of the checklist: each page by keys alone, and one sees where one is."""
    fill(visit.practitioner, visit.patient, day_of(visit.clinic, timezone.now()) - timedelta(days=1), 30, much=20)
    ada = person("ada")
    ada.emulate_media(reduced_motion="reduce")
    stops = [walk(ada, name) for name in every_page(ada, visit, clinician, clinic_admin)]
    assert len(stops) > 80
    assert min(stops) > 0


def test_a_focus_that_is_not_seen_is_found(person: Callable[..., Page], clinic: Clinic) -> None:
    ada = person("ada")
    ada.goto("/signin/")
    ada.evaluate(
        "() => { const sheet = new CSSStyleSheet(); sheet.replaceSync('* { outline: none !important; box-shadow:"
        " none !important }'); document.adoptedStyleSheets.push(sheet) }"
    )
    with pytest.raises(AssertionError, match="focus is not seen on"):
        walk(ada, "signin")


def test_a_dialog_closes_by_escape_and_gives_the_focus_back(person: Callable[..., Page], clinic_admin: User) -> None:
    ada = person("ada")
    steps.carry_session(ada, verify(Client(), clinic_admin))
    seen = timezone.now() - timedelta(minutes=13)
    for address in ("/dashboard/", "/admin/"):
        ada.goto(address)
        ada.locator("main a").first.focus()
        Session.objects.filter(user=clinic_admin).update(seen_at=seen, expires_at=seen + timedelta(minutes=15))
        dialog = ada.locator("#session")
        expect(dialog).to_be_visible()
        for _press in range(4):
            ada.keyboard.press("Tab")
        assert ada.evaluate("document.querySelector('#session').contains(document.activeElement)")
        ada.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(ada.locator("main a").first).to_be_focused()
