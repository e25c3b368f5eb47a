"""A clinic from nothing: one command, then pages alone, until the first visit is booked."""

import re
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from playwright.sync_api import Page, expect

from accounts.invitations import services, tasks
from accounts.models import Clinic, Invitation, Patient, User
from tests.e2e import steps
from tests.e2e.test_patient_pages import look
from visits.booking.models import Appointment
from visits.schedule.models import Availability

pytestmark = pytest.mark.e2e

PASSWORD = "nine quiet herons over water"
WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails links at once, where no worker is."""

    def mail_now(invitation_id: str) -> None:
        services.mail_link(Invitation.objects.get(pk=invitation_id))

    monkeypatch.setattr(tasks.mail_invitation, "delay", mail_now)


def enrol(page: Page) -> None:
    """Set up the authenticator app, as everybody must at the first sign-in; ends where their work is."""
    expect(page).to_have_url(re.compile("/mfa/setup/$"))
    secret = "".join((page.locator(".secret").text_content() or "").split())
    page.get_by_role("textbox", name="Code").fill(steps.code_from(secret))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("I have saved them").check()
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile("/(today|admin)/$"))


def accept(page: Page, text: str, email: str) -> None:
    """By the link in the text choose a password, and sign in with it."""
    link = re.search(r"^http\S+$", text, re.MULTILINE)
    assert link
    page.goto(link.group().removeprefix(settings.BASE_URL))
    look(page)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Now sign in.")).to_be_visible()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()


def add(page: Page, what: str) -> None:
    """From the index to the form of a new one."""
    page.get_by_role("banner").get_by_role("link", name="Telehealth administration").click()
    page.get_by_role("link", name=f"Add ({what})").click()
    look(page)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("was added successfully")
    look(page)


def invite(page: Page, name: str, email: str) -> None:
    add(page, "invitations")
    page.get_by_label("Name:").fill(name)
    page.get_by_label("E-mail:").fill(email)
    page.get_by_label("Role:").select_option(label="Clinician")
    save(page)


def join(page: Page, email: str) -> None:
    """By the mail of the invitation, up to where their work is."""
    (message,) = [one for one in mail.outbox if one.to == [email]]
    accept(page, str(message.body), email)
    enrol(page)


def add_clinician(page: Page, name: str, specialty: str) -> None:
    """What patients see of somebody who has joined, with their hours."""
    add(page, "clinicians")
    page.get_by_label("User:").select_option(label=name)
    page.get_by_label("Name shown to patients:").fill(f"Dr. {name}")
    page.get_by_label("Specialty:").fill(specialty)
    for number, weekday in enumerate(WEEK):
        page.get_by_role("button", name="Add another weekly hours").click()
        row = page.locator(f"#availability-{number}")
        row.get_by_label("Weekday").select_option(label=weekday)
        row.get_by_label("From", exact=True).fill("09:00")
        row.get_by_label("To", exact=True).fill("17:00")
    look(page)
    save(page)


def test_a_clinic_is_set_up_by_pages_alone(person: Callable[..., Page], transactional_db: Any) -> None:
    assert not User.objects.exists()
    printed = StringIO()
    call_command(
        "createclinic", name="Riverside Family Clinic", slug="riverside", time_zone="America/Chicago",
        phone="(555) 010-0142", admin_email="ada@example.org", admin_name="Ada Admin",
        stdout=printed,
    )  # fmt: skip
    begun = time.monotonic()

    ada = person("ada")
    accept(ada, printed.getvalue(), "ada@example.org")
    enrol(ada)
    expect(ada).to_have_url(re.compile("/admin/$"))
    look(ada)
    invite(ada, "Amara Okafor", "amara@example.org")
    invite(ada, "Ben Ortiz", "ben@example.org")
    amara = person("amara")
    join(amara, "amara@example.org")
    join(person("ben"), "ben@example.org")
    add_clinician(ada, "Amara Okafor", "Family medicine")
    add_clinician(ada, "Ben Ortiz", "Cardiology")

    add(ada, "visit types")
    ada.get_by_label("Name:").fill("Follow-up")
    save(ada)
    add(ada, "consent texts")
    ada.get_by_label("Language:").select_option(label="English")
    ada.get_by_label("Version:").fill("1")
    ada.get_by_label("Text:").fill("I agree to a visit by video.")
    save(ada)
    add(ada, "patients")
    for label, value in {
        "First name:": "Rosa", "Last name:": "Marín", "Birth date:": "1979-03-14", "E-mail:": "rosa@example.org",
    }.items():  # fmt: skip
        ada.get_by_label(label).fill(value)
    save(ada)

    amara.goto("/book/")
    amara.get_by_role("searchbox").fill("Marín")
    amara.get_by_role("button", name="Find").click()
    amara.get_by_text("Rosa Marín").first.click()
    steps.choose_day(amara, Clinic.objects.get(), 1)
    amara.locator(".slots .pick:has(input:enabled)").first.click()
    expect(amara.get_by_text("Held for you until")).to_be_visible()
    amara.get_by_role("button", name="Book visit").click()
    expect(amara.get_by_role("heading", name="Rosa Marín")).to_be_visible()

    assert time.monotonic() - begun < 600
    assert Appointment.objects.get().patient == Patient.objects.get()
    assert Availability.objects.count() == 14
    assert Clinic.objects.get().practitioners.count() == 2
