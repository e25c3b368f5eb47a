"""The form that a questionnaire makes."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from visits.intake.models import STRING_LENGTH, TEXT_LENGTH, QuestionnaireItem

Type = QuestionnaireItem.Type

YES, NO = "yes", "no"
YES_OR_NO = [(YES, gettext_lazy("Yes")), (NO, gettext_lazy("No"))]
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
LARGEST = 10**9


class _ErrorsLeadHere:
    """A group of buttons whose first one is where the list of errors leads."""

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return f"{id_}_{index or 0}"


class OneOf(_ErrorsLeadHere, forms.RadioSelect):
    pass


class SomeOf(_ErrorsLeadHere, forms.CheckboxSelectMultiple):
    pass


class WordsField(forms.CharField):
    """Text without what nobody types, its lines ended by one character whatever the browser sends."""

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return "".join(sign for sign in text if sign.isprintable() or sign in "\n\t")


class AnswersForm(forms.Form):
    """A field for each question. ``is_final`` asks for those that must be answered, else what there is will do."""

    def __init__(self, items: list[QuestionnaireItem], *args: Any, is_final: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = {f"q-{item.link_id}": item for item in items}
        for name, item in self.asked.items():
            self.fields[name] = _field(item, required=item.required and is_final)

    @property
    def questions(self) -> list[tuple[QuestionnaireItem, forms.BoundField]]:
        return [(item, self[name]) for name, item in self.asked.items()]

    @staticmethod
    def initial_of(items: list[QuestionnaireItem], answers: dict[str, Any]) -> dict[str, Any]:
        """What the fields begin with: ``answers`` by link_id, as ``answers`` gives them."""
        return {f"q-{item.link_id}": _initial(answers[item.link_id]) for item in items if item.link_id in answers}

    @property
    def typed(self) -> dict[str, Any]:
        """What was sent, as it was sent, for a form that begins with it."""
        return {name: self[name].value() for name in self.asked}

    @property
    def answers(self) -> dict[str, Any]:
        """By link_id, what is answered and valid, ready for JSON."""
        found = {item.link_id: _answer(item, self.cleaned_data.get(name)) for name, item in self.asked.items()}
        return {link_id: value for link_id, value in found.items() if value not in (None, "", [])}


def _field(item: QuestionnaireItem, *, required: bool) -> forms.Field:
    more: dict[str, Any] = {"label": item.text, "help_text": item.help, "required": required}
    missing = {"required": _("Answer this question: %(question)s") % {"question": item.text}}
    match item.type:
        case Type.BOOLEAN:
            return forms.ChoiceField(choices=YES_OR_NO, widget=OneOf, error_messages=missing, **more)
        case Type.CHOICE if item.repeats:
            return forms.MultipleChoiceField(choices=item.options, widget=SomeOf, error_messages=missing, **more)
        case Type.CHOICE:
            return forms.ChoiceField(choices=item.options, widget=OneOf, error_messages=missing, **more)
        case Type.INTEGER:
            return _integer(item, missing, more)
        case Type.DATE:
            return forms.DateField(
                input_formats=["%Y-%m-%d"],
                widget=forms.DateInput(
                    {"class": "input short", "type": "date", "min": str(FIRST_DAY), "max": str(LAST_DAY)}, "%Y-%m-%d"
                ),
                validators=_between(FIRST_DAY, LAST_DAY, _("Choose a day from 1900 to 2199.")),
                error_messages=missing | {"invalid": _("Choose a day, or type it like 2026-11-24.")},
                **more,
            )
        case Type.TEXT:
            area = forms.Textarea({"class": "input", "rows": 4, "autocomplete": "off"})
            return WordsField(max_length=TEXT_LENGTH, widget=area, error_messages=missing, **more)
    return WordsField(
        max_length=STRING_LENGTH,
        widget=forms.TextInput({"class": "input", "autocomplete": "off"}),
        error_messages=missing,
        **more,
    )


def _integer(item: QuestionnaireItem, missing: dict[str, str], more: dict[str, Any]) -> forms.Field:
    least = -LARGEST if item.minimum is None else item.minimum
    most = LARGEST if item.maximum is None else item.maximum
    words = _("Type a number from %(least)s to %(most)s.") % {"least": least, "most": most}
    if item.minimum is None or item.maximum is None:
        words = _("Type a whole number, like 12.")
    return forms.IntegerField(
        # Not of type "number": browsers send nothing at all for what is none, and it would be lost.
        widget=forms.TextInput({"class": "input short", "inputmode": "numeric", "autocomplete": "off"}),
        validators=_between(least, most, words),
        error_messages=missing | {"invalid": words},
        **more,
    )


def _between(least: Any, most: Any, words: str) -> list[Any]:
    return [MinValueValidator(least, words), MaxValueValidator(most, words)]


def _answer(item: QuestionnaireItem, value: Any) -> Any:
    if item.type == Type.BOOLEAN:
        return value == YES if value else None
    return value.isoformat() if isinstance(value, date) else value


def _initial(value: Any) -> Any:
    if isinstance(value, bool):
        return YES if value else NO
    return value
