"""The dashboard in a browser: axe in both schemes, at a small phone's width, by keys, with its tables open."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Patient, Practitioner, User
from tests.conftest import verify
from tests.dashboard.conftest import Fill, fill  # noqa: F401
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from visits.schedule.hours import day_of

pytestmark = pytest.mark.e2e


def test_the_dashboard(
    person: Callable[..., Page], clinic_admin: User, practitioner: Practitioner, patient: Patient, fill: Fill  # noqa: F811
) -> None:  # fmt: skip
    """Row 34 of the checklist: charts with their tables."""
    yesterday = day_of(practitioner.clinic, timezone.now()) - timedelta(days=1)
    fill(practitioner, patient, yesterday, 30, much=120)
    ada = person("ada", **SMALL)
    said: list[str] = []
    ada.on("console", lambda message: message.type in {"error", "warning"} and said.append(message.text))
    steps.carry_session(ada, verify(Client(), clinic_admin))

    ada.goto("/dashboard/")
    charts = ada.get_by_role("img")
    expect(charts).to_have_count(7)
    expect(charts.first).to_have_accessible_name("Visits")
    look(ada)

    # By keys: a longer period, then the numbers of the first chart.
    ada.get_by_role("link", name="90 days").focus()
    ada.keyboard.press("Enter")
    expect(ada.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "true")
    table = ada.locator("#visits details")
    table.locator("summary").focus()
    ada.keyboard.press("Enter")
    expect(table.get_by_role("table", name="Visits")).to_be_visible()
    expect(table.get_by_role("row")).to_have_count(2 + 13)
    look(ada)

    for width in (390, 1440):
        ada.set_viewport_size({"width": width, "height": 900})
        look(ada)
    with ada.expect_download() as download:
        ada.locator("#visits").get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.startswith("visits-")
    assert said == []
