"""Answers as people read them."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from visits.intake.models import QuestionnaireItem
from visits.schedule.templatetags.moments import date_words

Type = QuestionnaireItem.Type


@dataclass(frozen=True)
class Answered:
    """A question with its answer in words; ``words`` is empty where there is none."""

    question: str
    words: str


def in_words(items: list[QuestionnaireItem], answers: dict[str, Any]) -> list[Answered]:
    """Each question in its order, in the page's language, with the answer of ``answers`` (by link_id)."""
    return [Answered(item.text, _words(item, answers.get(item.link_id))) for item in items]


def _words(item: QuestionnaireItem, value: Any) -> str:
    if value is None:
        return ""
    match item.type:
        case Type.BOOLEAN:
            return _("Yes") if value else _("No")
        case Type.CHOICE:
            codes = value if isinstance(value, list) else [value]
            return ", ".join(words for code, words in item.options if code in codes)
        case Type.DATE:
            return date_words(date.fromisoformat(value))
    return str(value)
