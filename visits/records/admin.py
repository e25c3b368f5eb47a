"""The admin of how long what is kept. Copies and holds have pages of their own; here they are looked through."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin, HappenedFilter
from accounts.admin_sections import Section
from accounts.policy import Action
from visits.records.models import LegalHold, RecordCopy, RetentionRule


@admin.register(RetentionRule)
class RetentionRuleAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("How long the clinic keeps what. Without a rule, as long as the law says at least.")
    policy_action = Action.RECORD_ERASE
    audited_fields = ("subject", "days")
    fixed_fields = ("subject",)
    list_display = ("subject", "days", "clinic")
    list_filter = ("clinic", "subject")


@admin.register(LegalHold)
class LegalHoldAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("Patients of whom nothing may be erased. Holds are placed and ended on the patient's own pages.")
    read_only = True
    policy_action = Action.RECORD_ERASE
    clinic_path = "patient__clinic"
    patient_path = "patient"
    list_display = ("patient", "placed_at", "placed_by", "ended_at", "ended_by")
    list_filter = (("ended_at", HappenedFilter), "patient__clinic")
    list_select_related = ("patient", "placed_by", "ended_by")
    search_fields = ("patient__family_name", "patient__given_name", "placed_by__name")
    date_hierarchy = "placed_at"
    fields = ("patient", "reason", "placed_at", "placed_by", "ended_at", "ended_by")


@admin.register(RecordCopy)
class RecordCopyAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("Who asked for a copy of a patient's whole record, and what became of it.")
    read_only = True
    policy_action = Action.RECORD_EXPORT
    clinic_path = "patient__clinic"
    patient_path = "patient"
    list_display = ("patient", "state", "asked_at", "asked_by", "made_for", "closed_at")
    list_filter = ("state", "patient__clinic")
    list_select_related = ("patient", "asked_by", "made_for")
    search_fields = ("patient__family_name", "patient__given_name", "asked_by__name")
    date_hierarchy = "asked_at"
    fields = ("patient", "state", "reason", "asked_at", "asked_by", "made_for", "made_at", "expires_at", "closed_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Without the files, which are large and for nobody here."""
        rows: QuerySet[Any] = super().get_queryset(request).defer("content")
        return rows
