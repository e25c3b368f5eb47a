"""What is left in a browser after a patient's way and a day at the desk, and whom their pages have asked."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page

from accounts.models import User
from tests import factories
from tests.conftest import verify
from tests.e2e import steps
from tests.party import browser, make_link
from visits.booking.models import Appointment

pytestmark = pytest.mark.e2e

# All that scripts and the browser itself can keep for a site.
KEPT = """async () => ({
    local: {...localStorage},
    session: {...sessionStorage},
    databases: (await indexedDB.databases()).map((one) => one.name),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
})"""


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    start = timezone.now() + timedelta(minutes=5)
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)


def kept(page: Page) -> str:
    found = page.evaluate(KEPT)
    assert found["databases"] == found["caches"] == []
    assert found["workers"] == 0
    return json.dumps([found, [(one["name"], one["value"]) for one in page.context.cookies()]], default=str)


def test_nothing_of_people_is_left_and_nobody_else_was_asked(
    person: Callable[..., Page], site: str, visit: Appointment, front_desk: User
) -> None:
    """Rows 17 and 38 of the checklist: browser storage is looked through, and so is each request that was made."""
    rosa, lee, asked = person("rosa"), person("lee"), set()
    for page in (rosa, lee):
        page.context.on("request", lambda request: asked.add(urlsplit(request.url)))
    patient = visit.patient
    steps.carry_session(rosa, browser(make_link(visit)))
    rosa.goto(f"/my/{visit.pk}/")
    steps.details(rosa)
    rosa.get_by_role("button", name="Check camera and sound").click()
    rosa.get_by_role("button", name="Go to the waiting room").click()
    rosa.wait_for_url("**/waiting/")
    for address in ("visit/", "visits/", "messages/", "looks/"):
        rosa.goto(f"/my/{visit.pk}/{address}")
    steps.carry_session(lee, verify(Client(), front_desk))
    for address in ("/today/", f"/visits/{visit.pk}/", "/calendar/day/", "/book/", f"/visits/{visit.pk}/link/"):
        lee.goto(address)

    for page in (rosa, lee):
        left = kept(page)
        words = (patient.given_name, patient.family_name, patient.email, patient.phone, "Alder Street", "Luis", "1979")
        assert not [word for word in words if word in left], left
    assert {url.netloc for url in asked if url.scheme not in {"data", "blob"}} == {urlsplit(site).netloc}
    told = " ".join(f"{url.path}?{url.query}" for url in asked)
    assert not [word for word in (patient.given_name, patient.family_name, patient.email) if word in told]
