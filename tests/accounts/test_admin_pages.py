"""What pages of the admin say: what is wrong, what happened to a row, that there is nothing."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent, Clinic, EmergencyAccess, Patient, Practitioner, User
from accounts.policy import Role
from tests import factories
from visits.schedule.models import SchedulePolicy

PATIENTS = "/admin/accounts/patient/"


def test_what_is_wrong_stands_on_top_with_ways_to_the_fields(verified: Any, clinic_admin: User, clinic: Clinic) -> None:
    typed = {"clinic": clinic.pk, "given_name": "Rosa", "language": "en"}
    page = verified(clinic_admin).post(f"{PATIENTS}add/", typed).content.decode()

    assert "<title>Problem: " in page
    assert '<a href="#id_family_name">Last name: This field is required.</a>' in page
    assert 'value="Rosa"' in page
    assert "Please correct the error" not in page


def test_of_which_clinic_is_no_question_to_who_is_in_one(
    verified: Any, clinic_admin: User, other_clinic: Clinic
) -> None:
    browser = verified(clinic_admin)
    page = browser.get(f"{PATIENTS}add/").content.decode()
    own = clinic_admin.memberships.get().clinic

    assert re.search(rf'<input type="hidden" name="clinic" value="{own.pk}"', page)
    typed = {"given_name": "Eva", "family_name": "Li", "birth_date": "1990-01-02", "language": "en"}
    browser.post(f"{PATIENTS}add/", {**typed, "clinic": other_clinic.pk})
    assert not Patient.objects.filter(family_name="Li").exists()
    browser.post(f"{PATIENTS}add/", {**typed, "clinic": own.pk})
    assert Patient.objects.get(family_name="Li").clinic == own


def test_a_superuser_is_asked_of_which_clinic(verified: Any, clinic: Clinic) -> None:
    root = factories.make_member(clinic, Role.CLINIC_ADMIN, is_staff=True, is_superuser=True)

    assert '<select name="clinic"' in verified(root).get(f"{PATIENTS}add/").content.decode()


def test_a_clinic_has_its_rules_once(verified: Any, clinic_admin: User, clinic: Clinic) -> None:
    browser = verified(clinic_admin)
    add = "/admin/schedule/schedulepolicy/add/"
    SchedulePolicy.objects.filter(clinic=clinic).delete()
    assert browser.get(add).status_code == 200

    SchedulePolicy.objects.create(clinic=clinic)

    assert browser.get(add).status_code == 403
    assert add not in browser.get("/admin/").content.decode()


def test_a_filter_names_those_of_whom_it_knows_nothing(verified: Any, clinic_admin: User, clinic: Clinic) -> None:
    for specialty in ("Pediatrics", ""):
        factories.make_practitioner(clinic, None, name=f"Dr. {specialty or 'Nothing'}", specialty=specialty)
    clinicians = reverse("admin:accounts_practitioner_changelist")
    browser = verified(clinic_admin)

    assert '<a href="?specialty=">Not given</a>' in browser.get(clinicians).content.decode()
    found = browser.get(f"{clinicians}?specialty=").content.decode()
    assert "Dr. Nothing" in found
    assert "Dr. Pediatrics" not in found


def test_a_list_counts_results_and_breaks_a_time_from_nothing_but_its_date(
    verified: Any, clinic_admin: User, clinician: User, patient: Patient, clinic: Clinic
) -> None:
    at = datetime(2026, 11, 4, 18, 0, tzinfo=UTC)
    EmergencyAccess.objects.create(
        clinic=clinic, user=clinician, patient=patient, opened_at=at, expires_at=at + timedelta(hours=1)
    )
    page = verified(clinic_admin).get("/admin/accounts/emergencyaccess/").content.decode()

    assert "<span>1 result</span>" in page
    assert "Nov.\N{NO-BREAK SPACE}4,\N{NO-BREAK SPACE}2026, 12:00\N{NO-BREAK SPACE}p.m." in page


def test_the_history_of_a_row_is_what_the_trail_has_of_it(
    verified: Any, clinic_admin: User, clinician: User, patient: Patient, other_clinic: Clinic
) -> None:
    browser = verified(clinic_admin)
    audit.record("patient.view", AuditEvent.Action.READ, user=clinician, clinic=patient.clinic, entity=patient)
    audit.record("patient.elsewhere", AuditEvent.Action.READ, user=clinician, clinic=other_clinic, entity=patient)
    page = browser.get(reverse("admin:accounts_patient_history", args=[patient.pk])).content.decode()

    assert "patient.view" in page
    assert clinician.name in page
    assert "patient.elsewhere" not in page
    assert AuditEvent.objects.filter(subtype="admin.view", entity_id=str(patient.pk)).exists()


def test_each_cell_of_a_list_says_its_column_and_yes_and_no_in_words(
    verified: Any, clinic_admin: User, practitioner: Practitioner
) -> None:
    browser = verified(clinic_admin)
    browser.cookies["django_language"] = "es"
    page = browser.get("/admin/accounts/practitioner/").content.decode()

    assert 'data-label="Especialidad"' in page
    assert "</svg>Sí</span>" in page
    assert 'alt="True"' not in page


def test_an_empty_list_says_so_and_a_filter_that_finds_nothing_can_be_left(verified: Any, clinic_admin: User) -> None:
    browser = verified(clinic_admin)

    assert "There is nothing here yet." in browser.get(PATIENTS).content.decode()
    assert "Nothing is like that." in browser.get(f"{PATIENTS}?language__exact=es").content.decode()


def test_a_new_clinic_is_told_what_it_needs_until_it_has_some_of_each(verified: Any, clinic_admin: User) -> None:
    clinic = Clinic.objects.get()
    browser, stranger = verified(clinic_admin), factories.make_patient(factories.make_clinic())
    begun = browser.get("/admin/").context["steps"]

    assert [step["is_begun"] for step in begun] == [False, False, True, False, False]  # the fixture has an agreement
    assert all(browser.get(step["url"]).status_code == 200 for step in begun)
    factories.make_practitioner(clinic)
    factories.make_visit_type(clinic)
    assert [step["is_begun"] for step in browser.get("/admin/").context["steps"]] == [True] * 4 + [False]
    factories.make_patient(clinic)
    assert stranger.clinic != clinic
    assert browser.get("/admin/").context["steps"] == []


def test_every_list_of_the_index_says_what_it_is(verified: Any, clinic: Clinic) -> None:
    root = factories.make_member(clinic, Role.CLINIC_ADMIN, is_staff=True, is_superuser=True)
    entries = re.findall(r"<li><div>(.*?)</div>", verified(root).get("/admin/").content.decode(), re.DOTALL)

    assert len(entries) > 30
    assert [entry for entry in entries if "<p>" not in entry] == []


def test_every_list_of_what_has_a_time_of_its_making_is_drilled_into_by_date() -> None:
    """Times that are set by themselves: when something was made, sent, agreed to."""
    made = {
        model: its
        for model, its in admin.site._registry.items()
        for field in model._meta.concrete_fields
        if getattr(field, "auto_now_add", False) or field.default is timezone.now
    }

    assert len(made) > 15
    assert [model.__name__ for model, its in made.items() if not its.date_hierarchy] == []


@pytest.mark.parametrize(
    ("model", "term"),
    [
        ("accounts/emergencyaccess", "Okafor"),
        ("records/legalhold", "Okafor"),
        ("records/recordcopy", "Okafor"),
        ("reminders/messagetemplate", "tea"),
        ("room/relaynode", "relay-1"),
        ("schedule/openinghours", "Riverside"),
    ],
)
def test_lists_are_searched(verified: Any, clinic: Clinic, model: str, term: str) -> None:
    root = factories.make_member(clinic, Role.CLINIC_ADMIN, is_staff=True, is_superuser=True)

    page = verified(root).post(f"/admin/{model}/", {"q": term}, follow=True)

    assert page.status_code == 200
    assert page.context["cl"].search_fields
