"""What people do, page by page."""

import base64
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connections
from django.test import Client
from django_otp.oath import TOTP
from playwright.sync_api import Page, expect

from accounts.models import Clinic, TOTPDevice, User
from tests.factories import PASSWORD


def code_of(user: User) -> str:
    """What the authenticator app of the user shows now; enrols one that is known to us."""
    device, _ = TOTPDevice.objects.get_or_create(user=user, name="phone", confirmed=True)
    return f"{device.totp.token():06d}"


def code_from(secret: str) -> str:
    """What an authenticator app shows into which somebody typed the secret (base32)."""
    totp = TOTP(base64.b32decode(secret))
    totp.time = time.time()
    return str(totp.token()).zfill(6)


def sign_in(page: Page, user: User) -> None:
    """E-mail, password, code; ends on Today."""
    code = code_of(user)
    page.goto("/signin/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile("/today/$"))


def check_in(page: Page, link: str, birth_date: str = "03/14/1979") -> None:
    """From the link in the mail to the waiting room."""
    page.goto(link)
    page.get_by_label("birth").fill(birth_date)
    page.get_by_role("button", name="Continue").click()
    details(page)
    page.get_by_role("button", name="Check camera and sound").click()
    page.get_by_role("button", name="Go to the waiting room").click()
    page.wait_for_url(re.compile("/waiting/$"))


def details(page: Page) -> None:
    """Where one is, and the agreement."""
    page.get_by_label("I agree").wait_for()
    page.wait_for_load_state()  # by then the page has folded what it knows
    for label, value in {
        "If we get cut off, we call": "(555) 010-0177",
        "Where you are right now": "48 Alder Street, Madison, WI",
        "Who we call in an emergency": "Luis Marín, brother, (555) 010-0163",
    }.items():
        field = page.get_by_label(label, exact=True)
        if not field.is_visible():
            page.get_by_role("button", name=f"Change {label}").click()
        field.fill(value)
    page.get_by_label("I agree").check()
    page.locator("main").get_by_role("button", name="Continue").last.click()


def behind(service: Callable[..., object], **arguments: Any) -> None:
    """Call a service as the server would: in a thread in which no loop runs."""

    def call() -> None:
        try:
            service(**arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


def carry_session(page: Page, client: Client) -> None:
    """Give the browser a session that the test has made, where signing in is not what it is about."""
    morsel = client.cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": morsel.key, "value": morsel.value, "domain": "localhost", "path": "/"}])


def choose_day(page: Page, clinic: Clinic, ahead: int) -> None:
    """So many days from today, on a page of free times; what stood there before may be free as well."""
    page.locator(".days .pick").nth(ahead).click()
    day = datetime.now(ZoneInfo(clinic.time_zone)) + timedelta(days=ahead)
    expect(page.locator(".slots-h").first).to_contain_text(f"{day:%A}")
