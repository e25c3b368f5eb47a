"""What patients answer is sealed, kept with the version that they answered, and closed when the visit begins."""

from contextlib import suppress
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone

from accounts.models import AuditEvent
from tests import factories
from tests.accounts.keys.rings import NEW, ring
from tests.conftest import staff
from tests.intake.conftest import ANSWERS, item, respond
from tests.party import bearer, make_link
from tests.threads import at_once
from visits.booking.models import Appointment
from visits.intake import services
from visits.intake.models import Intake, Questionnaire, QuestionnaireItem, QuestionnaireResponse
from visits.intake.services import Status
from visits.intake.versions import next_version, put_in_place
from visits.waiting.models import Ticket

pytestmark = pytest.mark.django_db


def test_a_type_without_a_questionnaire_asks_nothing(visit):
    assert services.questionnaire_of(visit) is None
    assert services.is_settled(visit)


def test_answers_are_kept_sealed_with_their_version(as_patient, visit, questionnaire):
    assert not services.is_settled(visit)

    response = respond(as_patient, visit)

    assert services.is_settled(visit)
    found = services.response_to(visit)
    assert (found.status, found.questionnaire) == (Status.COMPLETED, questionnaire)
    assert services.answers_in(found) == ANSWERS
    with connection.cursor() as cursor:
        cursor.execute("SELECT answers FROM intake_questionnaireresponse")
        assert "knee" not in cursor.fetchone()[0].lower()
    event = AuditEvent.objects.get(subtype="intake.answer")
    assert (event.patient, event.link, event.entity_id) == (visit.patient, as_patient.link, str(response.pk))
    assert event.detail == {"status": "completed", "version": 1}


def test_who_goes_on_later_finds_what_was_there(as_patient, visit, questionnaire):
    respond(as_patient, visit, {"pain": 3}, Status.IN_PROGRESS)

    assert not services.is_settled(visit)
    assert services.answers_in(services.response_to(visit)) == {"pain": 3}
    assert respond(as_patient, visit).status == Status.COMPLETED


def test_who_would_rather_talk_has_been_asked_and_may_still_answer(as_patient, visit, questionnaire):
    respond(as_patient, visit, {}, Status.STOPPED)

    assert services.is_settled(visit)
    assert not services.response_to(visit).is_answered
    assert respond(as_patient, visit).status == Status.COMPLETED


def test_a_correction_is_an_amendment_and_the_same_again_is_nothing(as_patient, visit, questionnaire):
    respond(as_patient, visit)

    assert respond(as_patient, visit).status == Status.COMPLETED
    assert respond(as_patient, visit, ANSWERS | {"pain": 2}).status == Status.AMENDED
    assert respond(as_patient, visit, ANSWERS | {"pain": 1}, Status.STOPPED).status == Status.AMENDED
    assert AuditEvent.objects.filter(subtype="intake.answer").count() == 3


@pytest.mark.parametrize("status", [Appointment.Status.CANCELLED, Appointment.Status.FULFILLED])
def test_nothing_more_is_taken_when_the_visit_is_closed(as_patient, visit, questionnaire, status):
    Appointment.objects.filter(pk=visit.pk).update(status=status)

    with pytest.raises(services.AnswersClosed):
        respond(as_patient, visit)


def test_answers_stay_as_they_are_once_the_patient_is_let_in(as_patient, visit, questionnaire, clinician):
    Appointment.objects.filter(pk=visit.pk).update(status="arrived")
    ticket = Ticket.objects.create(appointment=visit)
    respond(as_patient, visit)
    Ticket.objects.filter(pk=ticket.pk).update(admitted_at=timezone.now(), admitted_by=clinician)

    with pytest.raises(services.AnswersClosed):
        respond(as_patient, visit, ANSWERS | {"pain": 2})
    assert services.answers_in(services.response_to(visit)) == ANSWERS


def test_questions_that_changed_since_they_were_shown_are_asked_again(as_patient, visit, questionnaire):
    shown = questionnaire.fingerprint()
    QuestionnaireItem.objects.filter(link_id="smoker").update(text_en="Do you not smoke?")

    with pytest.raises(services.QuestionsChanged):
        services.answer(principal=as_patient, visit=visit, shown=shown, answers=ANSWERS, status=Status.COMPLETED)
    assert not QuestionnaireResponse.objects.exists()


def test_questions_that_were_taken_away_meanwhile_take_no_answer(as_patient, visit, questionnaire):
    Intake.objects.all().delete()

    with pytest.raises(services.QuestionsChanged):
        services.answer(
            principal=as_patient,
            visit=visit,
            shown=questionnaire.fingerprint(),
            answers=ANSWERS,
            status=Status.COMPLETED,
        )


def test_answers_come_under_a_new_key_as_everything_does(as_patient, visit, questionnaire):
    respond(as_patient, visit)
    with ring(NEW, *settings.DATA_KEYS):
        call_command("rotate_keys", stdout=StringIO())

    with ring(NEW):
        assert services.answers_in(services.response_to(visit)) == ANSWERS


# --- strangers ------------------------------------------------------------------------------------


def test_nobody_but_the_patient_answers(as_guest, visit, questionnaire, practitioner, clinician, stranger):
    other_patient = bearer(make_link(factories.make_visit(practitioner)))

    for principal in (as_guest, other_patient, staff(clinician), staff(stranger)):
        with pytest.raises(Http404):
            respond(principal, visit)
    assert not QuestionnaireResponse.objects.exists()


# --- what the database refuses --------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.COMPLETED, Status.STOPPED])
def test_the_database_keeps_questions_as_they_were_answered(as_patient, visit, questionnaire, status):
    """Past the service, as any program might."""
    items = QuestionnaireItem.objects.filter(questionnaire=questionnaire)
    other = factories.make_questionnaire(factories.make_visit_type(visit.clinic))
    Questionnaire.objects.filter(pk=questionnaire.pk).update(title_en="Still free to change")
    items.update(required=True)
    respond(as_patient, visit, {}, status)

    for change in (
        lambda: items.update(text_en="Something else?"),
        lambda: items.filter(link_id="pain").update(questionnaire=other),
        lambda: QuestionnaireItem.objects.filter(questionnaire=other).update(questionnaire=questionnaire),
        lambda: items.filter(link_id="pain").delete(),
        lambda: QuestionnaireItem.objects.create(questionnaire=questionnaire, position=99, text_en="One more?"),
        lambda: Questionnaire.objects.filter(pk=questionnaire.pk).update(title_en="Something else"),
        lambda: Questionnaire.objects.filter(pk=questionnaire.pk).update(version=2),
        lambda: QuestionnaireResponse.objects.update(questionnaire=other),
        lambda: QuestionnaireResponse.objects.update(status="guessed"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert items.count() == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"text_en": "", "text_es": ""},
        {"type": "guess"},
        {"type": "choice"},
        {"repeats": True},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"link_id": "pain"},
    ],
)
def test_the_database_takes_no_question_that_cannot_be_asked(questionnaire, wrong):
    fields = {"questionnaire": questionnaire, "position": 99, "text_en": "One more?"} | wrong

    with pytest.raises(IntegrityError), transaction.atomic():
        QuestionnaireItem.objects.create(**fields)


def test_a_visit_type_asks_one_questionnaire(questionnaire, visit_type):
    with pytest.raises(IntegrityError), transaction.atomic():
        Intake.objects.create(visit_type=visit_type, questionnaire=questionnaire)


@pytest.mark.django_db(transaction=True)
def test_of_a_change_and_an_answer_at_once_the_later_one_sees_the_first(practitioner, visit_type):
    """Whoever comes second is refused: nobody's answer stands under words that they were not shown."""
    for _ in range(6):
        questionnaire = factories.make_questionnaire(factories.make_visit_type(practitioner.clinic))
        visit = factories.make_visit(practitioner, visit_type=questionnaire.intakes.get().visit_type)
        principal, shown = bearer(make_link(visit)), questionnaire.fingerprint()
        answers = {item.link_id: "Yes" for item in questionnaire.items.all()}

        def change(questionnaire=questionnaire):
            with suppress(IntegrityError):
                QuestionnaireItem.objects.filter(questionnaire=questionnaire).update(text_en="Something else?")

        def respond(visit=visit, principal=principal, shown=shown, answers=answers):
            with suppress(services.QuestionsChanged):
                services.answer(principal=principal, visit=visit, shown=shown, answers=answers, status=Status.COMPLETED)

        at_once([change, respond])

        is_answered = QuestionnaireResponse.objects.filter(appointment=visit).exists()
        assert is_answered == (questionnaire.fingerprint() == shown)


# --- versions -------------------------------------------------------------------------------------


def test_a_next_version_has_the_same_questions_and_is_asked_when_it_is_put_in_place(
    as_patient, visit, questionnaire, practitioner
):
    respond(as_patient, visit, {"pain": 3}, Status.IN_PROGRESS)
    later = factories.make_visit(practitioner, visit_type=visit.visit_type)

    newer = next_version(questionnaire)

    assert (newer.version, newer.url) == (2, questionnaire.url)
    link_ids = [one.link_id for one in questionnaire.items.all()]
    assert [one.link_id for one in newer.items.all()] == link_ids
    assert services.questionnaire_of(later) == questionnaire
    QuestionnaireItem.objects.filter(questionnaire=newer, link_id="pain").update(text_en="How much?")
    assert put_in_place(newer) == 1
    assert services.questionnaire_of(later) == newer
    # Who has begun goes on with what they know.
    assert services.questionnaire_of(visit) == questionnaire
    assert item(questionnaire, "pain").text_en == "How bad is it?"
    assert respond(as_patient, visit).questionnaire == questionnaire


@pytest.mark.django_db(transaction=True)
def test_two_new_versions_at_once_have_two_numbers(questionnaire):
    at_once([lambda: next_version(questionnaire)] * 2)

    assert sorted(Questionnaire.objects.values_list("version", flat=True)) == [1, 2, 3]
