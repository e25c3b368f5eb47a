"""What is searched for in lists of the admin stays out of addresses."""

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Patient, User
from tests import factories
from tests.lists import find

PATIENTS = "/admin/accounts/patient/"


def test_the_words_of_a_search_are_in_no_address(verified: Any, clinic_admin: User, patient: Patient) -> None:
    factories.make_patient(patient.clinic, family_name="Whitman")
    browser = verified(clinic_admin)

    answer = browser.post(PATIENTS, {"q": patient.family_name})
    page = browser.get(answer["Location"])

    assert answer.status_code == 302
    assert patient.family_name not in answer["Location"]
    assert [found.pk for found in page.context["cl"].result_list] == [patient.pk]
    assert f'value="{patient.family_name}"' in page.content.decode()
    assert 'method="post" role="search"' in page.content.decode()


def test_filters_and_pages_stay_within_what_was_found(verified: Any, clinic_admin: User, patient: Patient) -> None:
    for language in ("en", "es", "es"):
        factories.make_patient(patient.clinic, family_name="Whitman", language=language)
    factories.make_patient(patient.clinic, family_name="Other", language="es")
    browser = verified(clinic_admin)

    found = find(browser, PATIENTS, "whitman", language__exact="es", p="7")

    assert found.context["cl"].result_count == 2
    assert "Whitman" not in found.redirect_chain[-1][0]


@pytest.mark.parametrize("words", ["", "  ", "\0"])
def test_no_words_find_everybody(verified: Any, clinic_admin: User, patient: Patient, words: str) -> None:
    found = find(verified(clinic_admin), PATIENTS, words)

    assert found.redirect_chain[-1][0] == PATIENTS
    assert found.context["cl"].result_count == 1


def test_the_address_of_a_search_finds_nothing_in_particular_in_another_session(
    verified: Any, clinic_admin: User, patient: Patient
) -> None:
    factories.make_patient(patient.clinic, family_name="Whitman")
    address = verified(clinic_admin).post(PATIENTS, {"q": "Whitman"})["Location"]

    assert verified(clinic_admin).get(address).context["cl"].result_count == 2


def test_words_in_an_address_are_not_searched_for(verified: Any, clinic_admin: User, patient: Patient) -> None:
    page = verified(clinic_admin).get(PATIENTS, {"q": "Nobody"})

    assert page.context["cl"].result_count == 1


def test_who_may_not_see_a_list_does_not_search_it(verified: Any, auditor: User, patient: Patient) -> None:
    assert verified(auditor).post(PATIENTS, {"q": patient.family_name}).status_code == 403


def test_the_index_is_ordered_by_what_people_do(verified: Any, clinic_admin: User, auditor: User) -> None:
    page = verified(clinic_admin).get("/admin/").content.decode()
    order = [page.index(f'id="section-{key}"') for key in ("people", "schedule", "visits", "texts", "safety")]
    trail = verified(auditor).get("/admin/").content.decode()

    assert order == sorted(order)
    assert "section-machine" not in page
    assert reverse("home") in page
    assert reverse("admin:accounts_auditevent_changelist") in trail
    assert 'id="section-people"' not in trail
