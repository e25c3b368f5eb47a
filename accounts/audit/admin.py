"""The trail in the admin: to look at, to search, to export; nobody changes it."""

import json
import uuid
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin
from accounts.admin_sections import Section
from accounts.audit.export import as_csv
from accounts.audit.forms import TrailForm
from accounts.audit.purposes import Purpose, purpose_of_event
from accounts.login.stepup import fresh_factor
from accounts.models import AuditEvent, User
from accounts.policy import Action, Role


class ActorRoleFilter(admin.SimpleListFilter):
    """By the role in which somebody did it, in words."""

    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role.value, role.label) for role in Role]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(role=self.value()) if self.value() else queryset


class PurposeFilter(admin.SimpleListFilter):
    """By what the events themselves say; of all others the role says it."""

    title = _("purpose")
    parameter_name = "purpose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(Purpose.EMERGENCY.value, str(Purpose.EMERGENCY.label))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(detail__purpose=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ClinicScopedAdmin):
    """Read only, for who may read the trail; opening a patient's event is itself on it."""

    section = Section.SAFETY
    about = _("Who did what, and when. Nobody can change it.")
    read_only = True
    policy_action = Action.AUDIT_READ
    patient_path = "patient"
    list_display = ("when", "subtype", "outcome", "who", "as_role", "what", "address", "clinic")
    list_filter = (
        "clinic",
        "outcome",
        "action",
        ActorRoleFilter,
        PurposeFilter,
        ("recorded", admin.DateFieldListFilter),
        "subtype",
        "user",
    )
    list_select_related = ("user", "link", "clinic")
    search_fields = ("entity_id",)
    search_help_text = _(
        "An id (of a person, patient, object or request), an event such as link.redeem, or a network address"
    )
    date_hierarchy = "recorded"
    show_full_result_count = False
    list_per_page = 50
    fields = (
        "when", "subtype", "action", "outcome", "who", "as_role", "clinic", "entity_type", "entity_id",
        "patient_key", "address", "request_id", "purpose", "pretty_detail",
    )  # fmt: skip
    readonly_fields = ("when", "who", "as_role", "patient_key", "purpose", "pretty_detail")

    def get_urls(self) -> list[URLPattern]:
        export = path("export/", self.admin_site.admin_view(self.export), name="accounts_auditevent_export")
        return [export, *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """For who gave their second factor a moment ago."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return fresh_factor(self._export)(request)

    def _export(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for which part of the trail; POST sends it as a file, and says so on the trail."""
        people = self.admin_site._registry[User].get_queryset(request).order_by("name")
        form = TrailForm(request.POST if request.method == "POST" else None, people=people)
        if not form.is_valid():
            context = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Export"), "form": form}
            return render(request, "admin/accounts/auditevent/export.html", context)
        lookups = form.lookups()
        with transaction.atomic():
            events = self.get_queryset(request).filter(**lookups)
            newest = events.order_by("pk").values_list("pk", flat=True).last() or 0
            events = events.filter(pk__lte=newest)  # so that it has as many rows as the trail says
            detail = {"rows": events.count(), "by": sorted(lookups)}
            self.record(request, "audit.export", AuditEvent.Action.EXECUTE, detail=detail)
        return StreamingHttpResponse(
            as_csv(events),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="audit-trail.csv"', "Cache-Control": "no-store"},
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """By indexes, whole: the trail grows long."""
        term = search_term.strip()
        if not term:
            return queryset, False
        with suppress(ValueError):
            return queryset.filter(address=str(ip_address(term))), False
        try:
            found = uuid.UUID(term)
        except ValueError:
            return queryset.filter(Q(entity_id=term) | Q(subtype__startswith=term.lower())), False
        by_id = Q(entity_id=str(found)) | Q(user_id=found) | Q(patient_id=found) | Q(link_id=found)
        return queryset.filter(by_id | Q(request_id=found.hex)), False

    @admin.display(description=_("recorded"), ordering="recorded")
    def when(self, event: AuditEvent) -> str:
        """To the second, and in which zone."""
        return f"{timezone.localtime(event.recorded):%Y-%m-%d %H:%M:%S %Z}"

    @admin.display(description=_("who"))
    def who(self, event: AuditEvent) -> str:
        if event.user:
            return str(event.user)
        return f"{event.link.get_kind_display()} {str(event.link.pk)[:8]}" if event.link else "-"

    @admin.display(description=_("role"))
    def as_role(self, event: AuditEvent) -> str:
        return Role(event.role).label if event.role else "-"

    @admin.display(description=_("object"))
    def what(self, event: AuditEvent) -> str:
        return f"{event.entity_type} {event.entity_id[:8]}".strip() or "-"

    @admin.display(description=_("patient"))
    def patient_key(self, event: AuditEvent) -> str:
        return str(event.patient_id or "-")

    @admin.display(description=_("purpose"))
    def purpose(self, event: AuditEvent) -> str:
        found = purpose_of_event(event)
        return str(found.label) if found else "-"

    @admin.display(description=_("detail"))
    def pretty_detail(self, event: AuditEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.detail, indent=2, sort_keys=True))
