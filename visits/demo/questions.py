"""What the demo's clinic asks before visits, and what its patients answer."""

import json
from datetime import datetime
from typing import Any

from accounts.models import Clinic
from visits.booking.models import Appointment
from visits.intake.models import Intake, Questionnaire, QuestionnaireItem, QuestionnaireResponse
from visits.schedule.models import VisitType

Status = QuestionnaireResponse.Status

TITLE = {"title_en": "A few questions before your visit", "title_es": "Unas preguntas antes de su visita"}
ASKED_BEFORE = ("Follow-up", "New patient")
QUESTIONS: list[dict[str, Any]] = [
    {
        "link_id": "concern",
        "type": "text",
        "required": True,
        "text_en": "What would you like to talk about?",
        "text_es": "¿De qué le gustaría hablar?",
        "help_en": "In your own words. A sentence is enough.",
        "help_es": "Con sus propias palabras. Basta una frase.",
    },
    {
        "link_id": "since",
        "type": "choice",
        "required": True,
        "text_en": "Since when?",
        "text_es": "¿Desde cuándo?",
        "options_en": "Since today\nFor some days\nFor some weeks\nLonger",
        "options_es": "Desde hoy\nDesde hace unos días\nDesde hace unas semanas\nDesde hace más tiempo",
    },
    {
        "link_id": "symptoms",
        "type": "choice",
        "repeats": True,
        "text_en": "Do you have any of these?",
        "text_es": "¿Tiene algo de esto?",
        "options_en": "Fever\nCough\nPain\nDizziness",
        "options_es": "Fiebre\nTos\nDolor\nMareo",
    },
    {
        "link_id": "pain",
        "type": "integer",
        "minimum": 0,
        "maximum": 10,
        "text_en": "How strong is your pain now?",
        "text_es": "¿Qué tan fuerte es su dolor ahora?",
        "help_en": "0 is no pain, 10 is the worst that you can think of.",
        "help_es": "0 es ningún dolor, 10 es el peor que pueda imaginar.",
    },
    {
        "link_id": "medicines",
        "type": "string",
        "text_en": "Which medicines do you take?",
        "text_es": "¿Qué medicinas toma?",
    },
    {
        "link_id": "allergies",
        "type": "boolean",
        "required": True,
        "text_en": "Are you allergic to a medicine?",
        "text_es": "¿Es alérgico a alguna medicina?",
    },
]
ANSWERS: list[tuple[QuestionnaireResponse.Status, dict[str, Any]]] = [
    (
        Status.COMPLETED,
        {
            "concern": "My blood pressure at home is above 150/90.",
            "since": "For some weeks",
            "symptoms": ["Dizziness"],
            "pain": 0,
            "medicines": "Lisinopril 10 mg",
            "allergies": True,
        },
    ),
    (
        Status.COMPLETED,
        {"concern": "A cough at night.", "since": "For some days", "symptoms": ["Cough"], "allergies": False},
    ),
    (Status.STOPPED, {}),
    (
        Status.AMENDED,
        {
            "concern": "My knee hurts when I climb stairs.",
            "since": "Longer",
            "symptoms": ["Pain"],
            "pain": 6,
            "medicines": "Ibuprofen",
            "allergies": False,
        },
    ),
]


def ask(clinic: Clinic) -> None:
    """Once: what an admin changed later stays."""
    if clinic.questionnaires.exists():
        return
    questionnaire = Questionnaire.objects.create(clinic=clinic, **TITLE)
    for place, fields in enumerate(QUESTIONS, 1):
        QuestionnaireItem.objects.create(questionnaire=questionnaire, position=10 * place, **fields)
    for visit_type in VisitType.objects.filter(clinic=clinic, name__in=ASKED_BEFORE):
        Intake.objects.create(visit_type=visit_type, questionnaire=questionnaire)


def answer(visit: Appointment, at: datetime) -> None:
    """Patients take turns with what they answer, or leave for the visit."""
    intake = Intake.objects.filter(visit_type=visit.visit_type_id).first()
    if intake is None:
        return
    turn = QuestionnaireResponse.objects.filter(questionnaire=intake.questionnaire_id).count()
    status, answers = ANSWERS[turn % len(ANSWERS)]
    QuestionnaireResponse.objects.create(
        appointment=visit,
        questionnaire_id=intake.questionnaire_id,
        status=status,
        authored_at=at,
        answers=json.dumps(answers, ensure_ascii=False),
    )
