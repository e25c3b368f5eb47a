"""The summary of a visit in browsers: written and published by keys, kept through a lost session, read on a phone."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Practitioner, User
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from tests.summary.conftest import take_place
from visits.booking.models import Appointment
from visits.reminders import services as reminders
from visits.reminders.models import Communication
from visits.summary.models import Composition

pytestmark = pytest.mark.e2e


def test_a_summary_is_written_published_and_read(
    person: Callable[..., Page], clinician: User, practitioner: Practitioner, visit: Appointment
) -> None:
    take_place(visit)
    amara = person("amara")
    steps.carry_session(amara, verify(Client(), clinician))
    amara.goto("/today/")
    amara.get_by_role("link", name="Write Rosa Marín").press("Enter")
    expect(amara.get_by_role("heading", level=1)).to_have_text("Summary for Rosa Marín")
    amara.get_by_label("What to do now").press_sequentially("Take the new tablet.")
    expect(amara.locator("#saved")).to_contain_text("Draft saved")
    assert Composition.objects.get().what_to_do == "Take the new tablet."
    look(amara)

    # The session is lost; what is typed is not.
    amara.context.clear_cookies()
    amara.get_by_label("When to get help").fill("Call us if your ankles swell.")
    amara.get_by_role("button", name="Save draft").press("Enter")
    expect(amara.locator("#signed-out")).to_contain_text("You are signed out")
    look(amara)
    steps.carry_session(amara, verify(Client(), clinician))
    amara.get_by_role("button", name="Publish").press("Enter")
    expect(amara.locator("main")).to_contain_text("The summary is published.")
    expect(amara.locator("article")).to_contain_text("Call us if your ankles swell.")
    look(amara)
    amara.set_viewport_size(SMALL["viewport"])
    look(amara)

    Communication.objects.filter(kind="summary").update(serial=1, reference="", due_at=timezone.now())  # at any hour
    steps.behind(reminders.send_due)
    link = re.findall(r"/v/[\w-]{43}/", str(mail.outbox[-1].body))[0]
    rosa = person("rosa", viewport={"width": 390, "height": 844})
    rosa.goto(link)
    look(rosa)
    rosa.get_by_label("birth").fill("03/14/1979")
    rosa.keyboard.press("Enter")
    expect(rosa.get_by_role("heading", level=1)).to_have_text("What we agreed")
    expect(rosa.locator("article")).to_contain_text("Take the new tablet.")
    look(rosa)
    rosa.set_viewport_size(SMALL["viewport"])
    look(rosa)
    rosa.get_by_role("button", name="Español").press("Enter")
    expect(rosa.locator("article")).to_contain_text("Qué hacer ahora")
    look(rosa)
