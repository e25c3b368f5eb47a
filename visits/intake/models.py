"""What a clinic asks before a visit, and what patients answer (FHIR R4 Questionnaire, QuestionnaireResponse)."""

import hashlib
import json
import secrets
import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.language import page_language
from accounts.models import Clinic
from accounts.stamps import stamp
from visits.booking.models import Appointment
from visits.schedule.models import VisitType

MAX_ITEMS = 30
MAX_OPTIONS = 20
STRING_LENGTH = 200
TEXT_LENGTH = 2000
OPTION_LENGTH = 120
# All questions answered at length: twice for what JSON escapes, and room for the ids.
ANSWERS_LENGTH = MAX_ITEMS * (2 * TEXT_LENGTH + 100)


def new_link_id() -> str:
    return secrets.token_hex(4)


class Questionnaire(models.Model):
    """One version of what a clinic asks. What has been answered never changes: the database refuses it.

    Versions of the same questionnaire have the same ``url``, and their items the same ``link_id``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="questionnaires")
    url = models.UUIDField(default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    title_en = models.CharField(_("title in English"), max_length=80, blank=True)
    title_es = models.CharField(_("title in Spanish"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["title_en", "title_es", "-version"]
        verbose_name = _("questionnaire")
        verbose_name_plural = _("questionnaires")
        constraints = [
            models.UniqueConstraint(fields=["url", "version"], name="questionnaire_version_once"),
            models.CheckConstraint(condition=~Q(title_en="", title_es=""), name="questionnaire_has_a_title"),
        ]

    def __str__(self) -> str:
        return _("%(title)s, version %(version)s") % {"title": self.title, "version": self.version}

    def clean(self) -> None:
        if not (self.title_en or self.title_es):
            raise ValidationError({"title_en": _("Give it a title, best in both languages.")})

    @property
    def title(self) -> str:
        return in_page_language(self, "title")

    @property
    def is_answered(self) -> bool:
        """Whether somebody began to answer this version, so that it stays as it is."""
        return self.responses.exists()

    def fingerprint(self) -> str:
        """A text that changes with the questions; a page says by it which ones it showed."""
        asked = [[str(getattr(item, name)) for name in QuestionnaireItem.ASKED] for item in self.items.all()]
        return hashlib.sha256(json.dumps([str(self.pk), asked]).encode()).hexdigest()[:16]


class QuestionnaireItem(models.Model):
    """One question. Its words are in English and Spanish; where one is missing the other is shown."""

    class Type(models.TextChoices):
        """Of FHIR R4 item types, those that we ask."""

        BOOLEAN = "boolean", _("Yes or no")
        CHOICE = "choice", _("Choice")
        INTEGER = "integer", _("Whole number")
        DATE = "date", _("Date")
        STRING = "string", _("One line of text")
        TEXT = "text", _("Text")

    # What patients see of it, and by which their answers are read.
    ASKED = (
        *("link_id", "position", "type", "repeats", "required", "minimum", "maximum"),
        *("text_en", "text_es", "help_en", "help_es", "options_en", "options_es"),
    )

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    questionnaire = models.ForeignKey(
        Questionnaire, models.CASCADE, verbose_name=_("questionnaire"), related_name="items"
    )
    link_id = models.CharField(_("link id"), max_length=32, default=new_link_id, editable=False)
    position = models.PositiveSmallIntegerField(_("order"), help_text=_("Empty: after the others."))
    type = models.CharField(_("type"), max_length=8, choices=Type, default=Type.STRING)
    required = models.BooleanField(_("must be answered"), default=False)
    text_en = models.CharField(_("question in English"), max_length=300, blank=True)
    text_es = models.CharField(_("question in Spanish"), max_length=300, blank=True)
    help_en = models.CharField(_("help in English"), max_length=300, blank=True)
    help_es = models.CharField(_("help in Spanish"), max_length=300, blank=True)
    options_en = models.TextField(
        _("answers in English"), max_length=2000, blank=True, help_text=_("Of a choice: one on each line.")
    )
    options_es = models.TextField(
        _("answers in Spanish"), max_length=2000, blank=True, help_text=_("The same number, in the same order.")
    )
    repeats = models.BooleanField(_("several answers"), default=False, help_text=_("Of a choice."))
    minimum = models.IntegerField(_("at least"), null=True, blank=True, help_text=_("Of a whole number."))
    maximum = models.IntegerField(_("at most"), null=True, blank=True, help_text=_("Of a whole number."))

    class Meta:
        ordering = ["position", "link_id"]
        verbose_name = _("question")
        verbose_name_plural = _("questions")
        constraints = [
            models.UniqueConstraint(fields=["questionnaire", "link_id"], name="question_link_id_once"),
            models.CheckConstraint(condition=~Q(text_en="", text_es=""), name="question_has_words"),
            models.CheckConstraint(
                condition=Q(type__in=["boolean", "choice", "integer", "date", "string", "text"]),
                name="question_type_known",
            ),
            models.CheckConstraint(
                condition=~Q(type="choice", options_en="", options_es=""), name="question_of_choice_has_answers"
            ),
            models.CheckConstraint(condition=Q(repeats=False) | Q(type="choice"), name="question_repeats_choices_only"),
            models.CheckConstraint(
                condition=Q(minimum=None) | Q(maximum=None) | Q(maximum__gte=F("minimum")),
                name="question_bounds_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        return in_page_language(self, "text")

    @property
    def help(self) -> str:
        return in_page_language(self, "help")

    @property
    def options(self) -> list[tuple[str, str]]:
        """The code and the words of each answer to choose from. A code is the words in the first language given."""
        codes, words = lines_of(self.options_en or self.options_es), lines_of(in_page_language(self, "options"))
        return list(zip(codes, words, strict=True))

    def clean(self) -> None:
        wrong: dict[str, Any] = {}
        if not (self.text_en or self.text_es):
            wrong["text_en"] = _("Type the question, best in both languages.")
        if self.type == self.Type.CHOICE:
            wrong |= self._wrong_options()
        elif self.options_en or self.options_es or self.repeats:
            wrong["type"] = _("Only a choice has answers to choose from.")
        if self.type != self.Type.INTEGER and (self.minimum, self.maximum) != (None, None):
            wrong["minimum"] = _("Only a whole number has bounds.")
        elif self.minimum is not None and self.maximum is not None and self.maximum < self.minimum:
            wrong["maximum"] = _("The most must not be less than the least.")
        if wrong:
            raise ValidationError(wrong)

    def _wrong_options(self) -> dict[str, Any]:
        given = {name: lines_of(getattr(self, name)) for name in ("options_en", "options_es")}
        for name, lines in given.items():
            if len(set(lines)) < len(lines) or any(len(line) > OPTION_LENGTH for line in lines):
                words = _("Each answer once, with at most %(length)s characters.")
                return {name: words % {"length": OPTION_LENGTH}}
        counts = {len(lines) for lines in given.values() if lines}
        if len(counts) > 1:
            return {"options_es": _("Give as many answers in Spanish as in English, in the same order.")}
        if not counts or not 2 <= counts.pop() <= MAX_OPTIONS:
            return {"options_en": _("Give 2 to %(most)s answers to choose from.") % {"most": MAX_OPTIONS}}
        return {}


class Intake(models.Model):
    """Which questionnaire is asked before visits of a type; a type without one asks nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    visit_type = models.OneToOneField(
        VisitType,
        models.CASCADE,
        verbose_name=_("visit type"),
        related_name="intake",
        error_messages={"unique": _("Visits of this type ask another questionnaire. Take it away there first.")},
    )
    questionnaire = models.ForeignKey(
        Questionnaire, models.CASCADE, verbose_name=_("questionnaire"), related_name="intakes"
    )

    class Meta:
        ordering = ["visit_type__name"]
        verbose_name = _("asked before visits of the type")
        verbose_name_plural = _("asked before visits of these types")

    def __str__(self) -> str:
        return self.visit_type.name

    def clean(self) -> None:
        if self.visit_type_id and self.visit_type.clinic_id != self.questionnaire.clinic_id:
            raise ValidationError({"visit_type": _("This visit type belongs to another clinic.")})


class QuestionnaireResponse(models.Model):
    """What a patient answered before one visit, to one version of a questionnaire.

    ``answers`` is sealed JSON of {link_id: value}: true or false, a number, an ISO date, words, the code of an option,
    or a list of codes. Read and written by ``services`` only.
    """

    class Status(models.TextChoices):
        IN_PROGRESS = "in-progress", _("begun")
        COMPLETED = "completed", _("answered")
        AMENDED = "amended", _("answered, corrected since")
        STOPPED = "stopped", _("to be answered in the visit")

    # Nothing is left to ask.
    ANSWERED = (Status.COMPLETED, Status.AMENDED)
    SETTLED = (*ANSWERED, Status.STOPPED)

    appointment = models.OneToOneField(
        Appointment,
        models.PROTECT,
        verbose_name=_("visit"),
        primary_key=True,
        related_name="questionnaire_response",
    )
    questionnaire = models.ForeignKey(
        Questionnaire, models.PROTECT, verbose_name=_("questionnaire"), related_name="responses"
    )
    status = models.CharField(_("status"), max_length=11, choices=Status, default=Status.IN_PROGRESS)
    authored_at = models.DateTimeField(_("answered at"), default=timezone.now)
    answers = EncryptedTextField(_("answers"), max_length=ANSWERS_LENGTH, blank=True)

    class Meta:
        verbose_name = _("answers before a visit")
        verbose_name_plural = _("answers before visits")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["in-progress", "completed", "amended", "stopped"]),
                name="questionnaire_response_status_known",
            )
        ]

    def __str__(self) -> str:
        return stamp(self.authored_at)

    @property
    def is_answered(self) -> bool:
        return self.status in self.ANSWERED


def in_page_language(row: models.Model, name: str) -> str:
    """The column for the language of the page, or where it is empty the other one."""
    first, second = ("es", "en") if page_language() == "es" else ("en", "es")
    return str(getattr(row, f"{name}_{first}") or getattr(row, f"{name}_{second}"))


def lines_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
