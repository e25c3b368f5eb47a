"""A visit before which every type of question is asked, and its patient."""

from typing import Any

import pytest

from tests import factories
from tests.checkin.conftest import (  # noqa: F401
    as_guest,
    as_patient,
    guest_client,
    patient_client,
    patient_link,
)
from visits.booking.models import Appointment
from visits.intake.models import Questionnaire, QuestionnaireItem
from visits.intake.services import Status, answer
from visits.schedule.models import VisitType

ITEMS: list[dict[str, Any]] = [
    {"link_id": "concern", "text_en": "What brings you here?", "text_es": "¿Por qué viene?", "type": "text"},
    {"link_id": "smoker", "text_en": "Do you smoke?", "text_es": "¿Fuma?", "type": "boolean"},
    {
        "link_id": "where",
        "text_en": "Where does it hurt?",
        "text_es": "¿Dónde le duele?",
        "type": "choice",
        "repeats": True,
        "required": False,
        "options_en": "Head\nBack\nKnee",
        "options_es": "Cabeza\nEspalda\nRodilla",
    },
    {
        "link_id": "often",
        "text_en": "How often?",
        "text_es": "",
        "type": "choice",
        "required": False,
        "options_en": "Daily\nWeekly",
    },
    {
        "link_id": "pain",
        "text_en": "How bad is it?",
        "text_es": "¿Cuánto le duele?",
        "help_en": "From 0 to 10.",
        "type": "integer",
        "minimum": 0,
        "maximum": 10,
    },
    {"link_id": "since", "text_en": "Since when?", "text_es": "¿Desde cuándo?", "type": "date", "required": False},
    {"link_id": "pills", "text_en": "Which medicines?", "text_es": "¿Qué medicinas?", "required": False},
]
ANSWERS: dict[str, Any] = {
    "concern": "My knee.\nIt hurts at night.",
    "smoker": False,
    "where": ["Back", "Knee"],
    "often": "Daily",
    "pain": 7,
    "since": "2026-11-01",
    "pills": "None",
}
TYPED: dict[str, Any] = {
    "q-concern": "My knee.\r\nIt hurts at night.",
    "q-smoker": "no",
    "q-where": ["Back", "Knee"],
    "q-often": "Daily",
    "q-pain": "7",
    "q-since": "2026-11-01",
    "q-pills": "None",
}


@pytest.fixture
def questionnaire(visit_type: VisitType) -> Questionnaire:
    return factories.make_questionnaire(visit_type, *ITEMS)


def respond(principal: Any, visit: Appointment, answers: Any = None, status: Status = Status.COMPLETED) -> Any:
    """The patient answers the questions as they are."""
    questionnaire = Questionnaire.objects.filter(responses__appointment=visit).first()
    questionnaire = questionnaire or Questionnaire.objects.get(intakes__visit_type=visit.visit_type)
    return answer(
        principal=principal,
        visit=visit,
        shown=questionnaire.fingerprint(),
        answers=ANSWERS if answers is None else answers,
        status=status,
    )


def item(questionnaire: Questionnaire, link_id: str) -> QuestionnaireItem:
    return QuestionnaireItem.objects.get(questionnaire=questionnaire, link_id=link_id)
