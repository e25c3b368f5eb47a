"""Every page of the admin in a browser: both schemes, phone and desktop, axe, and nothing that our policy refuses."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import Clinic, User
from accounts.policy import Role
from tests import factories
from tests.conftest import verify
from tests.e2e import steps
from tests.party import make_link
from visits.booking.models import Appointment
from visits.reminders.models import MessageTemplate

pytestmark = pytest.mark.e2e


def look_at(page: Page, name: str) -> None:
    """Nothing wider than a small phone, nothing serious for axe to say; pictures where they are wanted."""
    page.set_viewport_size({"width": 320, "height": 640})
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} px too wide"
    for width, scheme in ((390, "dark"), (390, "light"), (1440, "light"), (1440, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        if folder := os.environ.get("TELEHEALTH_TEST_PICTURES"):
            page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
        if width == 390:
            found = Axe().run(page).response["violations"]
            bad = [each for each in found if each["impact"] in {"serious", "critical"}]
            assert not bad, (name, scheme, [(each["id"], [node["html"] for node in each["nodes"]]) for each in bad])


@pytest.fixture
def administrator(clinic: Clinic) -> User:
    return factories.make_member(clinic, Role.CLINIC_ADMIN, name="Ada Admin", is_staff=True, is_superuser=True)


def test_every_page(person: Callable[..., Page], administrator: User, visit: Appointment) -> None:
    """Row 34 of the checklist: nothing serious for axe, nothing wider than a small phone, in both schemes."""
    factories.make_hours(visit.practitioner, 0)
    make_link(visit)
    ada = person("ada")
    refused: list[str] = []
    ada.on("console", lambda said: refused.append(said.text) if said.type in {"error", "warning"} else None)
    steps.carry_session(ada, verify(Client(), administrator))

    def visit_page(name: str, address: str) -> None:
        ada.goto(address)
        assert refused == [], name  # before axe and screenshots, which write styles of their own into the page
        look_at(ada, name)
        refused.clear()

    visit_page("index", "/admin/")
    for model, model_admin in list(admin.site._registry.items()):
        label = model._meta.label_lower.replace(".", "_")
        visit_page(f"{label}-list", reverse(f"admin:{label}_changelist"))
        if ada.locator(".object-tools .addlink").count():
            visit_page(f"{label}-add", reverse(f"admin:{label}_add"))
        if row := model_admin.model._default_manager.first():
            visit_page(f"{label}-row", reverse(f"admin:{label}_change", args=[row.pk]))
    visit_page("messages", reverse("admin:reminders_communication_preview"))
    visit_page("export", reverse("admin:accounts_patient_export"))
    visit_page("import", reverse("admin:accounts_patient_import"))
    rows = "given_name,family_name,birth_date,email\nEva,Li,1990-01-02,eva@example.org\nBen,,soon,\n"
    ada.get_by_label("File:").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    ada.get_by_role("button", name="Check the file").click()
    expect(ada.get_by_text("1 row with a problem")).to_be_visible()
    look_at(ada, "check")
    ada.goto(reverse("admin:accounts_user_changelist"))
    ada.locator(".action-select").first.check()
    ada.get_by_label("Action:").select_option(value="shut_out")
    ada.get_by_role("button", name="Go").click()
    expect(ada.get_by_role("button", name="Yes, do it")).to_be_visible()
    look_at(ada, "question")


def test_a_message_is_looked_at_before_its_words_are_saved(
    person: Callable[..., Page], administrator: User, visit: Appointment
) -> None:
    ada = person("ada")
    refused: list[str] = []
    ada.on("console", lambda said: refused.append(said.text) if said.type in {"error", "warning"} else None)
    steps.carry_session(ada, verify(Client(), administrator))
    ada.goto(reverse("admin:reminders_communication_preview"))
    ada.locator("section", has_text="Reminder").get_by_role("link", name="Add words of your own").first.press("Enter")
    ada.get_by_label("In the e-mail:").fill("Please have your medicines at hand.")
    ada.get_by_label("In the text message:").fill("Have tea.")
    ada.get_by_role("button", name="Show the e-mail").press("Enter")
    look = ada.frame_locator("iframe[name=letter]")
    expect(look.get_by_text("Please have your medicines at hand.")).to_be_visible()
    assert refused == []
    look_at(ada, "template-mail")
    refused.clear()  # axe and screenshots write styles of their own into the page
    ada.get_by_role("button", name="Show the text message").press("Enter")
    expect(look.get_by_text("Have tea.")).to_be_visible()
    assert refused == []
    assert not MessageTemplate.objects.exists()

    ada.get_by_role("button", name="Save", exact=True).click()

    expect(ada.locator("#result_list")).to_contain_text("Please have your medicines at hand.")
    assert MessageTemplate.objects.get().kind == "reminder"
