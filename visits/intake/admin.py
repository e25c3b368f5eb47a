"""Questionnaires: one page with its questions, and the visit types before which it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScope, ClinicScopedAdmin, ClinicScopedInline
from accounts.admin_forms import TOO_FEW
from accounts.admin_sections import Section
from accounts.models import AuditEvent
from visits.intake.models import MAX_ITEMS, Intake, Questionnaire, QuestionnaireItem, QuestionnaireResponse
from visits.intake.versions import next_version, put_in_place

if TYPE_CHECKING:
    _StackedInline = admin.StackedInline[Any, Any]
    _Filter = admin.SimpleListFilter
    _InlineFormSet = BaseInlineFormSet[Any, Any, Any]
    _ModelForm = forms.ModelForm[Any]
else:
    _StackedInline, _Filter = admin.StackedInline, admin.SimpleListFilter
    _InlineFormSet, _ModelForm = BaseInlineFormSet, forms.ModelForm

STEP = 10


class QuestionForm(_ModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if name == "position":
                field.required = False
            if name.startswith("options"):
                field.widget.attrs["rows"] = 4


class InOrder(_InlineFormSet):
    """Questions without a number follow those before them."""

    default_error_messages = {**BaseInlineFormSet.default_error_messages, **TOO_FEW}

    def clean(self) -> None:
        super().clean()
        last = 0
        for form in self.forms:
            if form.has_changed() or form.instance.position is not None:
                if form.instance.position is None:
                    form.instance.position = last + STEP
                last = max(last, form.instance.position)


class QuestionInline(ClinicScope, _StackedInline):
    model = QuestionnaireItem
    form = QuestionForm
    formset = InOrder
    clinic_path = "questionnaire__clinic"
    min_num = 1
    max_num = MAX_ITEMS
    fields = (
        ("text_en", "text_es"),
        ("help_en", "help_es"),
        ("type", "required", "position"),
        ("options_en", "options_es", "repeats"),
        ("minimum", "maximum"),
    )

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 1 if obj else 0  # besides the one that there must be

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        counts = not _is_answered(obj)
        return super().get_formset(request, obj, validate_min=counts, validate_max=counts, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and not _is_answered(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not _is_answered(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_answered(obj)


class IntakeInline(ClinicScopedInline):
    model = Intake
    verbose_name, verbose_name_plural = _("visit type"), Intake._meta.verbose_name_plural
    clinic_path = "questionnaire__clinic"
    extra = 1


class IsAsked(_Filter):
    title = _("asked")
    parameter_name = "asked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Questionnaire]) -> QuerySet[Questionnaire]:
        return queryset.filter(intakes__isnull=self.value() == "no").distinct() if self.value() else queryset


@admin.register(Questionnaire)
class QuestionnaireAdmin(ClinicScopedAdmin):
    """What was answered stays as it is (the database refuses a change): make a new version and put it in place."""

    section = Section.TEXTS
    about = _("What patients are asked before a visit, and before which visits.")
    list_display = ("name", "version", "asked_before", "questions", "answered", "created_at", "clinic")
    list_filter = (IsAsked, "intakes__visit_type", "clinic")
    list_select_related = ("clinic",)
    search_fields = ("title_en", "title_es")
    date_hierarchy = "created_at"
    fields = ("clinic", ("title_en", "title_es"), "version")
    readonly_fields = ("version",)
    inlines = (IntakeInline, QuestionInline)
    actions = ("make_next_version", "put_in_place")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        answers = QuestionnaireResponse.objects.filter(questionnaire=OuterRef("pk"))
        rows: QuerySet[Any] = super().get_queryset(request).prefetch_related("intakes__visit_type")
        rows = rows.annotate(how_many=Count("items", distinct=True), was_answered=Exists(answers))
        return rows

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        kept = ("title_en", "title_es") if _is_answered(obj) else ()
        return (*super().get_readonly_fields(request, obj), *kept)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_answered(obj)

    @admin.display(description=_("title"), ordering="title_en")
    def name(self, row: Questionnaire) -> str:
        return row.title

    @admin.display(description=_("asked before"))
    def asked_before(self, row: Questionnaire) -> str:
        return ", ".join(sorted(str(intake) for intake in row.intakes.all()))

    @admin.display(description=_("questions"), ordering="how_many")
    def questions(self, row: Any) -> int:
        return int(row.how_many)

    @admin.display(description=_("answered"), boolean=True, ordering="was_answered")
    def answered(self, row: Any) -> bool:
        return bool(row.was_answered)

    @admin.action(description=_("Make a new version, to be changed"), permissions=["add"])
    def make_next_version(self, request: HttpRequest, rows: QuerySet[Questionnaire]) -> HttpResponse | None:
        copies = [next_version(row) for row in rows]
        for copy in copies:
            self.audit(request, "admin.add", AuditEvent.Action.CREATE, copy, version=copy.version)
        words = _("A new version is there. Change it, then put it in place: until then the old one is asked.")
        self.message_user(request, words, messages.SUCCESS)
        return redirect("admin:intake_questionnaire_change", copies[0].pk) if len(copies) == 1 else None

    @admin.action(description=_("Ask this version in place of the others"), permissions=["change"])
    @confirmed
    def put_in_place(self, request: HttpRequest, rows: QuerySet[Questionnaire]) -> None:
        for row in rows:
            count = put_in_place(row)
            self.audit(request, "admin.change", AuditEvent.Action.UPDATE, row, fields=["intakes"], asked=count)
            words = ngettext(
                "%(name)s is now asked before visits of %(count)s type.",
                "%(name)s is now asked before visits of %(count)s types.",
                count,
            )
            self.message_user(request, words % {"name": row, "count": count}, messages.SUCCESS)


class _OnThePageOfItsQuestionnaire(ClinicScopedAdmin):
    """For the trail, and to be opened from there; changed with its questionnaire."""

    clinic_path = "questionnaire__clinic"
    read_only = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(QuestionnaireItem)
class QuestionnaireItemAdmin(_OnThePageOfItsQuestionnaire):
    list_display = ("text", "type", "required", "questionnaire")
    list_filter = ("type",)
    list_select_related = ("questionnaire",)


@admin.register(Intake)
class IntakeAdmin(_OnThePageOfItsQuestionnaire):
    list_display = ("visit_type", "questionnaire")
    list_select_related = ("visit_type", "questionnaire")


@admin.register(QuestionnaireResponse)
class QuestionnaireResponseAdmin(ClinicScopedAdmin):
    """Whether patients have answered. What they answered is for clinicians, in the record of the visit."""

    section = Section.VISITS
    about = _("Which patients have answered before their visit. Clinicians alone read the answers.")
    fields = ("appointment", "questionnaire", "status", "authored_at")
    list_display = ("appointment", "patient", "questionnaire", "status", "authored_at")
    list_filter = ("status", "authored_at", "questionnaire")
    search_fields = ("appointment__patient__family_name", "appointment__patient__given_name", "=appointment__id")
    list_select_related = ("appointment__patient", "appointment__practitioner", "questionnaire")
    date_hierarchy = "authored_at"
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True

    @admin.display(description=_("patient"), ordering="appointment__patient__family_name")
    def patient(self, row: QuestionnaireResponse) -> str:
        return row.appointment.patient.full_name


def _is_answered(questionnaire: Questionnaire | None) -> bool:
    return questionnaire is not None and questionnaire.is_answered
