"""A record in an emergency, in a browser: asked why, by keys, and back where one was."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.emergency.services import open_record
from accounts.models import Clinic, User
from accounts.policy import Role
from tests import factories
from tests.conftest import staff, verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from visits.booking.models import Appointment

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("small", [False, True])
def test_who_does_not_treat_the_patient_says_why_and_reads_for_an_hour(
    person: Callable[..., Page], clinic: Clinic, visit: Appointment, small: bool
) -> None:
    factories.make_questionnaire(visit.visit_type, {"link_id": "q", "text_en": "What brings you here?", "type": "text"})
    doctor = factories.make_member(clinic, Role.CLINICIAN)
    kim = person("kim", **(SMALL if small else {}))
    steps.carry_session(kim, verify(Client(), doctor))
    answers = f"/visits/{visit.pk}/answers/"

    kim.goto(answers)
    expect(kim.get_by_role("heading", level=1)).to_have_text("Open this record in an emergency")
    expect(kim.get_by_label("Why do you need this record now?")).to_be_focused()
    expect(kim.locator("main")).not_to_contain_text(visit.patient.family_name)
    look(kim)

    kim.keyboard.type("Because")
    kim.get_by_role("button", name="Open it for an hour").press("Enter")
    expect(kim.locator(".errors")).to_contain_text("Say it in a sentence")
    expect(kim.get_by_label("Why do you need this record now?")).to_have_value("Because")
    look(kim)

    kim.get_by_label("Why do you need this record now?").fill("The ambulance asks what she takes.")
    kim.get_by_role("button", name="Open it for an hour").press("Enter")
    kim.wait_for_url(f"**{answers}")
    expect(kim.locator("main")).to_contain_text(visit.patient.family_name)
    look(kim)


def test_the_review_is_written_in_the_administration(
    person: Callable[..., Page], clinic: Clinic, visit: Appointment, clinic_admin: User
) -> None:
    doctor = factories.make_member(clinic, Role.CLINICIAN)
    steps.behind(open_record, principal=staff(doctor), patient=visit.patient, reason="The ambulance asks.")
    ada = person("ada")
    steps.carry_session(ada, verify(Client(), clinic_admin))

    ada.goto("/admin/accounts/emergencyaccess/")
    expect(ada.locator("#result_list")).to_contain_text("not reviewed")
    look(ada)
    ada.locator("#result_list tbody a").first.click()
    expect(ada.locator("#content")).to_contain_text("The ambulance asks.")
    ada.get_by_role("radio", name="justified", exact=True).check()
    look(ada)
    ada.get_by_role("button", name="Save", exact=True).click()
    expect(ada.locator("#result_list")).to_contain_text("justified")
