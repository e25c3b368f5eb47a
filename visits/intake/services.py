"""What patients answer before a visit, and who may read it."""

import json
import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest
from accounts.emergency.services import purpose_of
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.intake.models import Intake, Questionnaire, QuestionnaireResponse
from visits.live import events

Status = QuestionnaireResponse.Status


class AnswersClosed(Exception):
    """The visit has begun, is over or was cancelled: answers stay as they are."""


class QuestionsChanged(Exception):
    """The clinic has changed the questions since they were shown; show them and ask again."""


def questionnaire_of(visit: Appointment) -> Questionnaire | None:
    """What the patient is asked before this visit: the version they began with, else the one of the visit's type."""
    response = response_to(visit)
    if response is not None:
        return response.questionnaire
    intake = Intake.objects.select_related("questionnaire").filter(visit_type=visit.visit_type_id).first()
    return intake.questionnaire if intake else None


def response_to(visit: Appointment) -> QuestionnaireResponse | None:
    return QuestionnaireResponse.objects.select_related("questionnaire").filter(appointment=visit).first()


def answers_in(response: QuestionnaireResponse | None) -> dict[str, Any]:
    """By the ``link_id`` of their questions. Who shows them to staff goes by ``read``."""
    return json.loads(response.answers) if response and response.answers else {}


def is_settled(visit: Appointment) -> bool:
    """Whether nothing is left to ask: no questions, all answered, or left by the patient for the visit."""
    response = response_to(visit)
    return response.status in response.SETTLED if response else questionnaire_of(visit) is None


def takes_answers(visit: Appointment) -> bool:
    """Whether the patient may still answer and correct: until they are let in."""
    is_to_come = visit.is_open or visit.status == Appointment.Status.NOSHOW
    # The line is a floor above, so this asks by the name of its relation to a visit.
    return is_to_come and not Appointment.objects.filter(pk=visit.pk, ticket__admitted_at__isnull=False).exists()


def may_answer(principal: Principal, visit: Appointment) -> bool:
    """Whether the questions are theirs to answer: who acts for a patient and reads no answers may give the first."""
    return principal.may(Action.INTAKE_READ) or response_to(visit) is None


def answer(
    *,
    principal: Principal,
    visit: Appointment,
    shown: str,
    answers: dict[str, Any],
    status: QuestionnaireResponse.Status,
) -> QuestionnaireResponse:
    """Keep the patient's ``answers``, which a form has checked, to the questions whose fingerprint is ``shown``.

    ``status`` is COMPLETED, IN_PROGRESS (they go on later) or STOPPED (they answer in the visit). What was complete
    before is AMENDED, whatever is asked for; the same answers again change nothing. FHIR R4 QuestionnaireResponse.
    Raises QuestionsChanged, AnswersClosed, and Http404 for anyone but the patient.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, Action.VISIT_CHECK_IN, lock=True)
        if not takes_answers(visit) or not may_answer(principal, visit):
            raise AnswersClosed
        before, questionnaire = response_to(visit), questionnaire_of(visit)
        if questionnaire is None:
            raise QuestionsChanged
        # Whoever changes the questions waits for this, or this sees what they did.
        questionnaire = Questionnaire.objects.select_for_update(no_key=True).get(pk=questionnaire.pk)
        if questionnaire.fingerprint() != shown:
            raise QuestionsChanged
        if before is not None and before.is_answered:
            if answers == answers_in(before):
                return before
            status = Status.AMENDED
        response = QuestionnaireResponse(
            appointment=visit,
            questionnaire=questionnaire,
            status=status,
            authored_at=timezone.now(),
            answers=json.dumps(answers, ensure_ascii=False),
        )
        response.save(force_insert=before is None, force_update=before is not None)
        record(
            "intake.answer",
            Audit.UPDATE if before else Audit.CREATE,
            principal=principal,
            entity=response,
            patient=visit.patient,
            detail={"status": str(status), "version": questionnaire.version},
        )
        events.board_changed(visit.clinic_id)
        return response


def read(request: PrincipalRequest, pk: uuid.UUID) -> tuple[Appointment, QuestionnaireResponse | None]:
    """A visit with what its patient answered, for who may read that; the look is on the trail.

    Raises Http404, and NotTreating.
    """
    principal = request.principal
    visit = appointment_for(principal, pk, Action.INTAKE_READ)
    purpose = purpose_of(principal, visit.patient)
    record(
        "intake.view",
        Audit.READ,
        principal=principal,
        entity=visit,
        patient=visit.patient,
        request=request,
        detail={"purpose": purpose},
    )
    return visit, response_to(visit)
