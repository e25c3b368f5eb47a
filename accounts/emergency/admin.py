"""The list of records opened in emergencies, each to be reviewed once by somebody else."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin, principal_of
from accounts.admin_sections import Section
from accounts.emergency import services
from accounts.emergency.forms import ReviewForm
from accounts.models import EmergencyAccess


@admin.register(EmergencyAccess)
class EmergencyAccessAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("Clinicians who opened the record of a patient whom they do not treat. Each wants a review.")
    patient_path = "patient"
    form = ReviewForm
    deletable = False
    list_display = ("opened_at", "user", "patient", "expires_at", "finding", "reviewed_by", "clinic")
    list_filter = ("finding", ("opened_at", admin.DateFieldListFilter), "user", "clinic")
    list_select_related = ("user", "patient", "reviewed_by", "clinic")
    search_fields = ("user__name", "user__email", "patient__family_name", "patient__given_name")
    date_hierarchy = "opened_at"
    fields = ("user", "patient", "reason", "opened_at", "expires_at", "finding", "note", "reviewed_by", "reviewed_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A review needs somebody else than who opened it, in the clinic, and is written once."""
        is_reviewable = obj is None or (not obj.finding and obj.user_id != getattr(request.user, "pk", None))
        return is_reviewable and principal_of(request) is not None and super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for name in self.fields if name not in {"finding", "note"}]

    def save_model(self, request: HttpRequest, obj: EmergencyAccess, form: Any, change: bool) -> None:
        principal = principal_of(request)
        if principal is None:
            raise PermissionDenied
        services.review(principal=principal, access=obj, finding=EmergencyAccess.Finding(obj.finding), note=obj.note)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except services.AlreadyReviewed:
            messages.error(request, _("Somebody has reviewed this meanwhile. Nothing was changed."))
            return redirect("admin:accounts_emergencyaccess_changelist")
