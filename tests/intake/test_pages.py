"""The questions as a step of check-in, and the answers as staff see them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from tests import factories
from tests.checkin.test_services import get_ready
from tests.intake.conftest import ANSWERS, TYPED, respond
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.checkin import services as checkin
from visits.intake import services
from visits.intake.models import MAX_ITEMS, TEXT_LENGTH, Intake, QuestionnaireItem, QuestionnaireResponse
from visits.intake.services import Status
from visits.waiting.models import Ticket

pytestmark = pytest.mark.django_db


def url(visit: Appointment, name: str = "intake:questions") -> str:
    return reverse(name, args=[visit.pk])


def typed(questionnaire: Any, **more: Any) -> dict[str, Any]:
    return TYPED | {"shown": questionnaire.fingerprint()} | {f"q-{name}": value for name, value in more.items()}


def text_of(client: Client, path: str, **data: Any) -> str:
    return client.get(path, **data).content.decode()


# --- the way --------------------------------------------------------------------------------------


def test_questions_come_after_the_details_and_before_the_devices(patient_client, as_patient, visit, questionnaire):
    details = text_of(patient_client, url(visit, "checkin:details"))
    assert details.index("Your details") < details.index("Questions") < details.index("Camera and sound")
    get_ready(as_patient, visit)

    assert patient_client.get(url(visit, "checkin:start")).url == url(visit)
    page = text_of(patient_client, url(visit))
    assert "Before your visit" in page
    assert "What brings you here?" in page
    assert "How often?" in page
    answered = patient_client.post(url(visit), typed(questionnaire))

    assert answered.url == url(visit, "checkin:start")
    assert patient_client.get(answered.url).url == url(visit, "checkin:devices")
    assert services.answers_in(services.response_to(visit)) == ANSWERS


def test_nobody_enters_the_line_without_having_been_asked(patient_client, as_patient, visit, questionnaire):
    get_ready(as_patient, visit)
    checkin.record_devices(principal=as_patient, visit=visit, camera="ok", microphone="ok")

    assert not checkin.is_ready(visit, as_patient)
    assert patient_client.get(url(visit, "waiting:room")).url == url(visit, "checkin:start")


def test_who_is_unwell_enters_the_line_without_answering(patient_client, as_patient, visit, questionnaire):
    get_ready(as_patient, visit)
    sent = {"shown": questionnaire.fingerprint(), "then": "visit", "q-pain": "ten", "q-pills": "Ibuprofen"}

    assert patient_client.post(url(visit), sent).url == url(visit, "checkin:start")

    assert checkin.is_ready(visit, as_patient)
    response = services.response_to(visit)
    assert (response.status, services.answers_in(response)) == (Status.STOPPED, {"pills": "Ibuprofen"})


def test_a_type_that_asks_nothing_has_no_such_step(patient_client, as_patient, visit):
    get_ready(as_patient, visit)

    assert patient_client.get(url(visit, "checkin:start")).url == url(visit, "checkin:devices")
    assert patient_client.get(url(visit)).url == url(visit, "checkin:start")
    assert patient_client.post(url(visit), {"q-pain": "1"}).url == url(visit, "checkin:start")
    assert "Questions" not in text_of(patient_client, url(visit, "checkin:devices"))


def test_a_visit_by_phone_is_asked_too(patient_client, visit, questionnaire):
    Appointment.objects.update(mode="phone")

    assert url(visit) in text_of(patient_client, url(visit, "online:visit"))
    page = text_of(patient_client, url(visit))
    assert "What brings you here?" in page
    assert "Camera and sound" not in page


def test_a_page_of_the_visit_leads_to_the_questions_and_back_to_the_answers(
    patient_client, as_patient, visit, questionnaire
):
    assert "Answer the questions" in text_of(patient_client, url(visit, "online:visit"))
    respond(as_patient, visit)
    get_ready(as_patient, visit)

    assert "My answers to the questions" in text_of(patient_client, url(visit, "online:visit"))
    assert "My answers to the questions" in text_of(patient_client, url(visit, "waiting:room"))


# --- what is typed --------------------------------------------------------------------------------


def test_what_is_wrong_is_said_on_top_and_beside_and_nothing_is_lost(patient_client, visit, questionnaire):
    sent = typed(questionnaire, concern="The very words I typed", pain="eleven", smoker="", where=["Knee"])
    page = patient_client.post(url(visit), sent).content.decode()

    assert "<title>Problem:" in page
    assert page.count("Answer this question: Do you smoke?") == 2
    assert page.count("Type a number from 0 to 10.") == 2
    # The list on top leads to the first button of a group, too.
    assert 'href="#id_q-smoker_0"' in page
    assert 'id="id_q-smoker_0"' in page
    for kept in ("The very words I typed", 'value="eleven"', 'value="2026-11-01"'):
        assert kept in page
    assert page.count(" checked") == 2
    assert not QuestionnaireResponse.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"pain": "11"},
        {"pain": "-1"},
        {"pain": "1.5"},
        {"smoker": "maybe"},
        {"where": ["Elbow"]},
        {"often": "Hourly"},
        {"since": "1.11.2026"},
        {"since": "0001-01-01"},
        {"pills": "x" * 201},
        {"concern": "x" * (TEXT_LENGTH + 1)},
        {"concern": " \n "},
    ],
)
def test_what_is_no_answer_is_refused(patient_client, visit, questionnaire, wrong):
    page = patient_client.post(url(visit), typed(questionnaire, **wrong))

    assert "There is a problem" in page.content.decode()
    assert not QuestionnaireResponse.objects.exists()


def test_answers_of_the_greatest_length_fit(patient_client, visit, visit_type):
    questionnaire = factories.make_questionnaire(visit_type, *[{"type": "text"}] * MAX_ITEMS)
    longest = '"\n' * (TEXT_LENGTH // 2 - 1) + "é!"
    sent = {f"q-{item.link_id}": longest.replace("\n", "\r\n") for item in questionnaire.items.all()}

    answered = patient_client.post(url(visit), sent | {"shown": questionnaire.fingerprint()})

    assert answered.status_code == 302
    assert set(services.answers_in(services.response_to(visit)).values()) == {longest}


def test_signs_that_nobody_types_are_left_out(patient_client, visit, questionnaire):
    patient_client.post(url(visit), typed(questionnaire, concern="\x01My\x1b knee\x07"))

    assert services.answers_in(services.response_to(visit))["concern"] == "My knee"


def test_saving_for_later_asks_for_nothing_and_keeps_what_is_there(patient_client, visit, questionnaire):
    sent = {"shown": questionnaire.fingerprint(), "then": "later", "q-pain": "4"}

    assert patient_client.post(url(visit), sent).url == url(visit)

    page = text_of(patient_client, url(visit))
    assert "Your answers are kept." in page
    assert 'value="4"' in page
    wrong = patient_client.post(url(visit), sent | {"q-pain": "a lot"}).content.decode()
    assert 'value="a lot"' in wrong
    assert "Your answers are kept." not in wrong


def test_an_answer_can_be_corrected_and_must_stay_whole(patient_client, as_patient, visit, questionnaire):
    respond(as_patient, visit)
    page = text_of(patient_client, url(visit))
    assert "You have answered." in page
    assert "rather answer in the visit" not in page
    assert "My knee." in page

    emptied = {"shown": questionnaire.fingerprint(), "then": "later"}
    assert "There is a problem" in patient_client.post(url(visit), emptied).content.decode()
    patient_client.post(url(visit), typed(questionnaire, pain="2"))

    response = services.response_to(visit)
    assert (response.status, services.answers_in(response)["pain"]) == (Status.AMENDED, 2)


def test_questions_that_changed_meanwhile_are_shown_with_what_was_typed(patient_client, visit, questionnaire):
    sent = typed(questionnaire, concern="The very words I typed")
    QuestionnaireItem.objects.filter(link_id="smoker").update(text_en="Did you ever smoke?")
    page = patient_client.post(url(visit), sent).content.decode()

    assert "The questions have changed" in page
    assert "Did you ever smoke?" in page
    assert "The very words I typed" in page
    assert page.count(" checked") == 4
    assert not QuestionnaireResponse.objects.exists()


def test_who_is_let_in_while_they_type_is_told_so_and_loses_nothing(patient_client, visit, questionnaire, clinician):
    Appointment.objects.update(status="arrived")
    Ticket.objects.create(appointment=visit, admitted_at=timezone.now(), admitted_by=clinician)
    page = patient_client.post(url(visit), typed(questionnaire)).content.decode()

    assert "Your visit begins now" in page
    assert "It hurts at night." in page
    assert patient_client.get(url(visit)).url == url(visit, "checkin:start")
    assert not QuestionnaireResponse.objects.exists()


def test_each_question_is_asked_in_the_language_of_the_page_or_else_the_other(as_patient, visit, questionnaire):
    visit.patient.language = "es"
    visit.patient.save()
    client = browser(as_patient.link)
    page = text_of(client, url(visit))

    assert "Antes de su visita" in page
    assert "¿Por qué viene?" in page
    assert "How often?" in page
    assert "Rodilla" in page
    client.post(url(visit), typed(questionnaire))
    assert services.answers_in(services.response_to(visit)) == ANSWERS


# --- staff ----------------------------------------------------------------------------------------


def test_clinicians_read_the_answers_and_each_look_is_on_the_trail(
    as_patient, visit, questionnaire, clinician, verified
):
    respond(as_patient, visit)
    doctor = verified(clinician)
    record = text_of(doctor, url(visit, "room:visit"))
    assert url(visit, "intake:answers") in record
    assert "knee" not in record
    assert not AuditEvent.objects.filter(subtype="intake.view").exists()

    part = text_of(doctor, url(visit, "intake:answers"), headers={"HX-Request": "true"})
    page = text_of(doctor, url(visit, "intake:answers"))

    for shown in (part, page):
        assert "My knee.<br>It hurts at night." in shown
        assert "Back, Knee" in shown
        assert "Nov 1, 2026" in shown
    assert "<html" not in part
    events = AuditEvent.objects.filter(subtype="intake.view", patient=visit.patient, user=clinician)
    assert [event.entity_id for event in events] == [str(visit.pk)] * 2


def test_the_clinician_has_the_answers_beside_the_call(as_patient, visit, questionnaire, clinician, verified):
    respond(as_patient, visit, {}, Status.STOPPED)
    page = text_of(verified(clinician), url(visit, "room:staff"))

    assert "the patient would rather answer in the visit" in page
    assert url(visit, "intake:answers") in page


@pytest.mark.parametrize("who", ["front_desk", "clinic_admin", "auditor"])
def test_who_is_no_clinician_reads_no_answers(as_patient, visit, questionnaire, verified, request, who):
    respond(as_patient, visit)
    client = verified(request.getfixturevalue(who))

    assert client.get(url(visit, "intake:answers")).status_code == 403
    record = client.get(url(visit, "room:visit")).content.decode()
    assert url(visit, "intake:answers") not in record
    assert who == "auditor" or "Answered" in record
    assert not AuditEvent.objects.filter(subtype="intake.view").exists()


def test_a_clinician_of_another_clinic_finds_nothing(as_patient, visit, questionnaire, stranger, verified):
    respond(as_patient, visit)

    assert verified(stranger).get(url(visit, "intake:answers")).status_code == 404


def test_staff_need_a_second_factor(visit, questionnaire, clinician, password_only):
    for client in (Client(), password_only(clinician)):
        assert client.get(url(visit, "intake:answers")).url.startswith("/signin/")


def test_nobody_else_comes_to_the_questions(
    visit, questionnaire, practitioner, clinician, stranger, guest_client, verified
):
    other = factories.make_visit(practitioner)

    for client in (Client(), verified(clinician), verified(stranger), browser(make_link(other))):
        for response in (client.get(url(visit)), client.post(url(visit), typed(questionnaire))):
            assert response.status_code in {302, 403}
            assert response.get("Location", reverse("accounts:link-needed")) == reverse("accounts:link-needed")
    assert guest_client.get(url(visit)).status_code == 404
    assert guest_client.post(url(visit), typed(questionnaire)).status_code == 404
    assert "Questions" not in text_of(guest_client, url(visit, "checkin:devices"))
    assert not QuestionnaireResponse.objects.exists()


def test_today_says_whether_the_questions_are_answered(as_patient, visit, questionnaire, front_desk, verified):
    visit.start, visit.end = timezone.now() - timedelta(minutes=5), timezone.now() + timedelta(minutes=15)
    visit.save()
    get_ready(as_patient, visit)
    desk = verified(front_desk)
    assert "Questions: not yet" in text_of(desk, "/today/")
    respond(as_patient, visit, {}, Status.STOPPED)
    assert "Questions: to be answered in the visit" in text_of(desk, "/today/")
    Appointment.objects.update(status="arrived")
    Ticket.objects.create(appointment=visit)
    assert "Questions not answered" in text_of(desk, "/today/")

    respond(as_patient, visit)

    page = text_of(desk, "/today/")
    assert "Questions not answered" not in page
    Intake.objects.all().delete()
    QuestionnaireResponse.objects.all().delete()
    assert "Questions not answered" not in text_of(desk, "/today/")
