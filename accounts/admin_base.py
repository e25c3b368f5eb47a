"""The admin of a thing that belongs to a clinic: rights by role, rows by clinic, every change audited.

Other apps reuse it:

    @admin.register(Appointment)
    class AppointmentAdmin(ClinicScopedAdmin):
        clinic_path = "clinic"
        patient_path = "patient"
        list_filter = ("status", "practitioner")   # related filters show the own clinic's rows only
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import BaseModelAdmin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, models, transaction
from django.db.models import ForeignKey, ManyToManyField, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts import admin_search
from accounts.admin_actions import SHOWN
from accounts.admin_forms import LabelledRows, ZoneSelect, problems_of
from accounts.admin_paths import filter_name, is_relation, is_to_many, walk
from accounts.admin_sections import Page, Section, Step
from accounts.audit import services as audit
from accounts.login.stepup import fresh_factor
from accounts.models import AuditEvent, Clinic, Patient
from accounts.policy import Action
from accounts.principal import Principal

# What the database says of a row that a legal hold keeps (visits.records).
ON_HOLD = "record_on_hold"
# How much of its history the page of a row shows; the trail itself has all of it.
EVENTS = 200

if TYPE_CHECKING:
    _Base = BaseModelAdmin[Any]
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _Base, _ModelAdmin, _TabularInline = object, admin.ModelAdmin, admin.TabularInline


class ClinicScope(_Base):
    """What admins and their inlines share: who may, and which rows exist for them."""

    # Lookup from a row to its clinic: "clinic", "appointment__clinic"; "pk" for the clinic itself.
    clinic_path = "clinic"
    # Attribute path from a row to its patient: opening such a row is audited. Empty: no patient's data.
    patient_path = ""
    # What the role must allow (accounts.policy).
    policy_action = Action.CLINIC_RUN
    # Nothing can be added, changed or deleted.
    read_only = False
    # Rows that others refer to are better ended than deleted.
    deletable = True
    # The browser's own fields for days and times: Django's calendar speaks of the server's clock, and no reader of it.
    formfield_overrides = {
        models.DateField: {"widget": forms.DateInput({"type": "date"}, format="%Y-%m-%d")},
        models.TimeField: {"widget": forms.TimeInput({"type": "time"}, format="%H:%M")},
        models.DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        },
    }

    def may(self, request: HttpRequest) -> bool:
        """Whether this person's role opens this part of the admin. The doors have checked the rest."""
        principal = principal_of(request)
        return bool(getattr(request.user, "is_superuser", False) or (principal and principal.may(self.policy_action)))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self.may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self.may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not self.read_only and self.deletable and self.may(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the clinic that the person is in; of every clinic for a superuser."""
        return self.in_scope(request, super().get_queryset(request))

    def in_scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        if getattr(request.user, "is_superuser", False):
            return rows
        principal = principal_of(request)
        if principal is None:
            return rows.none()
        rows = rows.filter(**{self.clinic_path: principal.clinic.pk})
        return rows.distinct() if is_to_many(self.model, self.clinic_path) else rows

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        self._limit_choices(db_field, request, kwargs)
        principal = principal_of(request)
        if principal is not None and db_field.remote_field.model is Clinic:
            kwargs.setdefault("initial", principal.clinic)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        self._limit_choices(db_field, request, kwargs)
        kwargs.setdefault("widget", forms.CheckboxSelectMultiple())
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """From a field one adds what is missing, and that is all; of which clinic is no question to who is in one.

        Time zones are chosen: nobody knows them by heart.
        """
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "time_zone":
            cast(forms.Field, field).widget = ZoneSelect(empty=_("The clinic’s") if db_field.blank else "")
        widget = getattr(field, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget.can_change_related = widget.can_view_related = False
            if db_field.remote_field.model is Clinic and not getattr(request.user, "is_superuser", False):
                cast(forms.Field, field).widget = forms.HiddenInput()
        return field

    def _limit_choices(self, db_field: Any, request: HttpRequest, kwargs: dict[str, Any]) -> None:
        related = self.admin_site._registry.get(db_field.remote_field.model)
        if "queryset" not in kwargs and isinstance(related, ClinicScope):
            kwargs["queryset"] = related.get_queryset(request)


class ScopedRelatedFilter(admin.RelatedFieldListFilter):
    """Offers only the rows that the person may see in that row's own admin."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[Any]:
        related = model_admin.admin_site._registry.get(field.remote_field.model)
        if not isinstance(related, ClinicScope):
            return []
        ordering = self.field_admin_ordering(field, request, model_admin)
        seen = {"pk__in": related.get_queryset(request).order_by().values("pk")}
        return list(field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=seen))


class HappenedFilter(admin.EmptyFieldListFilter):
    """Whether something has happened, which the field has the time of."""

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        either, *rest = super().choices(changelist)
        yield either
        for choice, words in zip(rest, (_("No"), _("Yes")), strict=True):
            yield {**choice, "display": words}


class ClinicScopedAdmin(ClinicScope, _ModelAdmin):
    """A ModelAdmin under ``ClinicScope`` that records each add, change and delete, and each look at a patient's row."""

    show_facets = admin.ShowFacets.NEVER
    # Where the index has it, and what it says of it there.
    section = Section.VISITS
    about: Any = ""
    # Pages besides the list that the index names.
    pages: tuple[Page, ...] = ()
    # What a new clinic is asked to add here before its first visit.
    step: Step | None = None
    # A clinic has one row at most.
    once = False
    # What a row keeps once it was saved, besides its clinic: others refer to it as it was.
    fixed_fields: tuple[str, ...] = ()
    # What is saved or done here gives rights: who does it gives their second factor, unless that was a moment ago.
    gives_rights = False
    # Fields of codes, whose values the trail keeps: what was granted, not only that something was.
    audited_fields: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and not (self.once and self._is_there(request))

    def is_begun(self, clinic: Clinic) -> bool:
        """Whether the clinic has taken the ``step``."""
        return bool(self.model._default_manager.filter(**{self.clinic_path: clinic.pk}).exists())

    def _is_there(self, request: HttpRequest) -> bool:
        principal = principal_of(request)
        rows = self.model._default_manager.filter(clinic=principal.clinic) if principal else None
        return rows is not None and not getattr(request.user, "is_superuser", False) and rows.exists()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = (*self.fixed_fields, "clinic") if self.clinic_path == "clinic" else self.fixed_fields
        return (*super().get_readonly_fields(request, obj), *(fixed if obj and not self.read_only else ()))

    def get_list_display(self, request: HttpRequest) -> Any:
        """The clinic as a column is news to superusers only."""
        return [name for name in super().get_list_display(request) if self._is_news(request, name)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [
            (path, ScopedRelatedFilter) if isinstance(path, str) and is_relation(self.model, path) else path
            for path in super().get_list_filter(request)
            if self._is_news(request, path)
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the page offers: Django lets any column be read by ``?password__startswith=``, letter by letter."""
        offered = [filter_name(one) for one in self.get_list_filter(request)]
        if self.date_hierarchy:
            offered.append(self.date_hierarchy)
        is_offered = any(lookup == name or lookup.startswith(f"{name}__") for name in offered)
        # PostgreSQL fails at a NUL.
        return is_offered and "\0" not in value and super().lookup_allowed(lookup, value, request)

    def _is_news(self, request: HttpRequest, name: Any) -> bool:
        return name not in {self.clinic_path, "clinic"} or bool(getattr(request.user, "is_superuser", False))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._stepped_up(request, self._tried_again)(request, *args, **kwargs)

    def _tried_again(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Of two who save the same at once, the form of the second finds the first one's row when it looks again, and
        says so beside what was typed."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            if request.method != "POST":
                raise
            return super().changeform_view(request, *args, **kwargs)

    def _stepped_up(self, request: HttpRequest, view: Any) -> Any:
        return fresh_factor(view) if self.gives_rights and request.method == "POST" else view

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """Django runs actions without a transaction; ours record what they do in the same one."""
        try:
            with transaction.atomic():
                answer = super().response_action(request, *args, **kwargs)
        except IntegrityError as refused:
            return self._kept(request, refused)
        shown = getattr(answer, "context_data", None) or {}
        return self._stays(request, shown) if _is_referred_to(shown) else answer

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Rows of inlines are on the trail by themselves, as if saved on their own page (which there must be)."""
        own = cast(ClinicScopedAdmin, self.admin_site._registry[formset.model])
        for row in formset.deleted_forms:  # before they lose their ids
            own.audit(request, "admin.delete", AuditEvent.Action.DELETE, row.instance)
        super().save_formset(request, form, formset, change)
        for obj in formset.new_objects:
            own.audit(request, "admin.add", AuditEvent.Action.CREATE, obj, **own.audited_values(obj))
        for obj, names in formset.changed_objects:
            own.audit(request, "admin.change", AuditEvent.Action.UPDATE, obj, fields=names, **own.audited_values(obj))

    # The trail takes the place of Django's own log, which would repeat names that no erasure finds again.
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.audit(request, "admin.add", AuditEvent.Action.CREATE, obj, **self.audited_values(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        fields = changed_fields(message)
        self.audit(request, "admin.change", AuditEvent.Action.UPDATE, obj, fields=fields, **self.audited_values(obj))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self.audit(request, "admin.delete", AuditEvent.Action.DELETE, obj)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            self.note_look(request, obj)
        if context["errors"]:
            context |= {"errors": [], "problems": problems_of(context["adminform"], context["inline_admin_formsets"])}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        title = _("Delete %(name)s") % {"name": self.opts.verbose_name}
        try:
            with transaction.atomic():
                return super().delete_view(request, object_id, {"title": title, **(extra_context or {})})
        except IntegrityError as refused:
            return self._kept(request, refused)

    def _kept(self, request: HttpRequest, refused: IntegrityError) -> HttpResponse:
        """Say what the database refuses to let go of, and why; nothing was changed. Raises what is no legal hold."""
        if ON_HOLD not in str(refused):
            raise refused
        messages.error(request, _("A legal hold keeps this record. Whoever ordered it has to end it first."))
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        self.note_look(request, context["object"])
        if _is_referred_to(context):
            return self._stays(request, context)
        return super().render_delete_form(request, context)

    def _stays(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        """Say what refers to the rows, which is why they stay, and what can be done instead."""
        mark = next((field.verbose_name for field in self.opts.concrete_fields if field.name == "is_active"), "")
        referring = [*context["protected"], *map(capfirst, context["perms_lacking"])]
        more = {"title": _("This cannot be deleted"), "referring": referring[:SHOWN], "mark": mark}
        return render(request, "admin/stays.html", {**context, **more})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return admin_search.KeptSearch

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if admin_search.is_asked(request) and self.has_view_permission(request):
            return admin_search.keep(request)
        title = capfirst(self.opts.verbose_name_plural)
        view = self._stepped_up(request, super().changelist_view)
        answer: HttpResponse = view(request, {"title": title, "about": self.about, **(extra_context or {})})
        shown = getattr(answer, "context_data", None) or {}
        if "cl" in shown and (self.patient_path or self.model is Patient):
            detail = {"model": self.opts.object_name, "shown": len(shown["cl"].result_list)}
            self.record(request, "admin.list", AuditEvent.Action.READ, detail=detail)
        return answer

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the trail has of the row: whatever was done to it anywhere, not here alone."""
        trail = cast(ClinicScopedAdmin, self.admin_site._registry[AuditEvent])
        if not trail.has_view_permission(request):
            raise PermissionDenied
        events = trail.get_queryset(request).filter(entity_type=self.opts.object_name, entity_id=unquote(object_id))
        more = {"events": events.select_related("user", "link")[:EVENTS], "title": _("History")}
        answer = super().history_view(request, object_id, {**more, **(extra_context or {})})
        obj = (getattr(answer, "context_data", None) or {}).get("object")
        if obj is not None:
            self.note_look(request, obj)
        return answer

    def note_look(self, request: HttpRequest, obj: Model) -> None:
        """Record that a patient's row is shown, also beside what is wrong with what was typed."""
        if self.patient_of(obj):
            self.audit(request, "admin.view", AuditEvent.Action.READ, obj)

    def audit(self, request: HttpRequest, subtype: str, action: AuditEvent.Action, obj: Model, **detail: Any) -> None:
        """Record what was done to ``obj`` here; call it in the transaction that does it."""
        clinic, patient = self.clinic_of(obj), self.patient_of(obj)
        self.record(request, subtype, action, clinic=clinic, entity=obj, patient=patient, detail=detail)

    def record(self, request: HttpRequest, subtype: str, action: AuditEvent.Action, **fields: Any) -> None:
        """Record what was done here to no row in particular, or to what ``fields`` say."""
        principal = principal_of(request)
        user = None if principal else request.user
        audit.record(subtype, action, principal=principal, user=user, request=request, **fields)  # type: ignore[arg-type]

    def audited_values(self, obj: Model) -> dict[str, Any]:
        """What the trail keeps of a row that was saved."""
        return {name: getattr(obj, name) for name in self.audited_fields}

    def clinic_of(self, obj: Model) -> Clinic | None:
        if isinstance(obj, Clinic):
            return obj
        return None if is_to_many(self.model, self.clinic_path) else walk(obj, self.clinic_path)

    def patient_of(self, obj: Model) -> Patient | None:
        if isinstance(obj, Patient):
            return obj
        return walk(obj, self.patient_path) if self.patient_path else None


class ClinicScopedInline(ClinicScope, _TabularInline):
    """Rows of the same clinic under another row."""

    formset = LabelledRows
    extra = 0


def _is_referred_to(context: dict[str, Any]) -> bool:
    """Whether Django's page about a deletion says that it cannot be."""
    return bool(context.get("protected") or context.get("perms_lacking"))


def principal_of(request: HttpRequest) -> Principal | None:
    """Who the doors let in; None for a superuser who belongs to no clinic."""
    return getattr(request, "principal", None)


def changed_fields(message: Any) -> list[str]:
    """The names of the form's own fields in an admin change message; no values, and nothing of inlines."""
    parts = message if isinstance(message, list) else []
    changes = [part.get("changed", {}) for part in parts if isinstance(part, dict)]
    return [str(name) for change in changes if "object" not in change for name in change.get("fields", [])]
