"""Clinic admins keep the questionnaires of their clinic, and read no answers."""

from typing import Any

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from tests import factories
from tests.intake.conftest import respond
from visits.intake.models import MAX_ITEMS, Intake, Questionnaire

pytestmark = pytest.mark.django_db

LIST = "/admin/intake/questionnaire/"


@pytest.fixture
def admin(verified: Any, clinic_admin: Any) -> Any:
    return verified(clinic_admin)


def page_of(questionnaire: Questionnaire) -> str:
    return reverse("admin:intake_questionnaire_change", args=[questionnaire.pk])


def sent(clinic: Any, *items: dict[str, Any], types: Any = (), **more: Any) -> dict[str, Any]:
    """What the page of a questionnaire sends."""
    data: dict[str, Any] = {"clinic": clinic.pk, "title_en": "Intake", "title_es": "Preguntas"} | more
    for prefix, rows in (("items", items), ("intakes", [{"visit_type": one.pk} for one in types])):
        data |= {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": 0}
        for number, row in enumerate(rows):
            row = ({"type": "string"} | row) if prefix == "items" else row
            data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def test_a_questionnaire_is_made_on_one_page(admin, clinic, visit_type):
    items = [{"text_en": "Your concern?"}, {"text_en": "Smoker?", "type": "boolean", "required": "on"}]

    assert admin.post(f"{LIST}add/", sent(clinic, *items, types=[visit_type])).status_code == 302

    questionnaire = Questionnaire.objects.get()
    assert [(one.text_en, one.position) for one in questionnaire.items.all()] == [
        ("Your concern?", 10),
        ("Smoker?", 20),
    ]
    assert visit_type.intake.questionnaire == questionnaire
    listed = admin.get(LIST).content.decode()
    assert "Intake" in listed
    assert visit_type.name in listed
    added = AuditEvent.objects.filter(subtype="admin.add").values_list("entity_type", flat=True)
    assert sorted(added) == ["Intake", "Questionnaire", "QuestionnaireItem", "QuestionnaireItem"]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"text_en": ""}, "Type the question, best in both languages."),
        ({"type": "choice"}, "Give 2 to 20 answers to choose from."),
        ({"type": "choice", "options_en": "Only one"}, "Give 2 to 20 answers to choose from."),
        ({"type": "choice", "options_en": "A\nB", "options_es": "A"}, "as many answers in Spanish as in English"),
        ({"type": "choice", "options_en": "A\nA"}, "Each answer once"),
        ({"options_en": "A\nB"}, "Only a choice has answers to choose from."),
        ({"repeats": "on"}, "Only a choice has answers to choose from."),
        ({"minimum": "1"}, "Only a whole number has bounds."),
        ({"type": "integer", "minimum": "2", "maximum": "1"}, "The most must not be less than the least."),
    ],
)
def test_a_question_that_cannot_be_asked_is_said_to_be_so(admin, clinic, item, words):
    row = {"text_en": "Question?", "help_en": "All that I typed"} | item
    page = admin.post(f"{LIST}add/", sent(clinic, row)).content.decode()

    assert words in page
    assert "All that I typed" in page
    assert not Questionnaire.objects.exists()


@pytest.mark.parametrize("count", [0, MAX_ITEMS + 1])
def test_there_are_as_many_questions_as_a_page_bears(admin, clinic, count):
    assert admin.post(f"{LIST}add/", sent(clinic, *[{"text_en": "Question?"}] * count)).status_code == 200
    assert not Questionnaire.objects.exists()


def test_a_type_that_asks_another_one_says_so(admin, clinic, visit_type):
    factories.make_questionnaire(visit_type)
    page = admin.post(f"{LIST}add/", sent(clinic, {"text_en": "Question?"}, types=[visit_type])).content.decode()

    assert "Visits of this type ask another questionnaire." in page


def test_what_was_answered_is_shown_and_not_changed_but_can_be_asked_elsewhere(
    admin, as_patient, visit, questionnaire, clinic
):
    respond(as_patient, visit)
    page = admin.get(page_of(questionnaire)).content.decode()
    assert "What brings you here?" in page
    assert 'name="items-0-text_en"' not in page
    assert 'name="title_en"' not in page

    other = factories.make_visit_type(clinic)
    kept = questionnaire.intakes.get()
    data = {
        **{"intakes-TOTAL_FORMS": 2, "intakes-INITIAL_FORMS": 1},
        **{
            "intakes-0-id": kept.pk,
            "intakes-0-questionnaire": questionnaire.pk,
            "intakes-0-visit_type": kept.visit_type.pk,
        },
        **{"intakes-1-questionnaire": questionnaire.pk, "intakes-1-visit_type": other.pk},
        **{"items-TOTAL_FORMS": 7, "items-INITIAL_FORMS": 7},
    }
    assert admin.post(page_of(questionnaire), data).status_code == 302

    assert questionnaire.intakes.count() == 2
    assert questionnaire.items.count() == 7
    assert admin.get(f"{page_of(questionnaire).removesuffix('change/')}delete/").status_code == 403


def test_a_new_version_is_made_changed_and_put_in_place(admin, as_patient, visit, questionnaire):
    respond(as_patient, visit)
    made = admin.post(LIST, {"action": "make_next_version", "_selected_action": [questionnaire.pk]})

    newer = Questionnaire.objects.get(version=2)
    assert made.url == page_of(newer)
    assert 'name="items-0-text_en"' in admin.get(made.url).content.decode()
    assert Intake.objects.get().questionnaire == questionnaire
    admin.post(LIST, {"action": "put_in_place", "_selected_action": [newer.pk], "confirmed": "yes"})

    assert Intake.objects.get().questionnaire == newer
    event = AuditEvent.objects.get(subtype="admin.change", entity_id=str(newer.pk))
    assert event.detail == {"fields": ["intakes"], "asked": 1}


@pytest.mark.parametrize(("asked", "count"), [("yes", 1), ("no", 1), ("", 2)])
def test_the_list_tells_what_is_asked_now(admin, questionnaire, clinic, asked, count):
    Questionnaire.objects.create(clinic=clinic, title_en="Not asked")

    assert admin.get(LIST, {"asked": asked} if asked else {}).context["cl"].result_count == count


def test_answers_are_not_in_the_admin(admin, as_patient, visit, questionnaire):
    respond(as_patient, visit)
    path = reverse("admin:intake_questionnaireresponse_change", args=[visit.pk])

    for shown in (admin.get(path), admin.get("/admin/intake/questionnaireresponse/")):
        content = shown.content.decode()
        assert shown.status_code == 200
        assert "knee" not in content
        assert "answered" in content
    assert admin.post(path, {"status": "completed"}).status_code == 403


def test_another_clinics_questionnaires_do_not_exist(admin, other_clinic):
    other = factories.make_questionnaire(factories.make_visit_type(other_clinic))

    assert admin.get(LIST).context["cl"].result_count == 0
    assert admin.get(page_of(other)).status_code == 302
    admin.post(LIST, {"action": "make_next_version", "_selected_action": [other.pk]})
    assert Questionnaire.objects.count() == 1


def test_another_clinics_visit_type_is_no_choice(admin, clinic, other_clinic):
    theirs = factories.make_visit_type(other_clinic)
    page = admin.post(f"{LIST}add/", sent(clinic, {"text_en": "Question?"}, types=[theirs]))

    assert page.status_code == 200
    assert not Intake.objects.exists()


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor"])
def test_only_clinic_admins_keep_questionnaires(verified, request, questionnaire, who):
    user = request.getfixturevalue(who)
    user.is_staff = True
    user.save()

    assert verified(user).get(LIST).status_code == 403
