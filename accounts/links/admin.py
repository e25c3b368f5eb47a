"""Links in the admin: to look at, and to revoke."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, HappenedFilter, principal_of
from accounts.admin_sections import Section
from accounts.links import services as links
from accounts.models import AccessLink, User


@admin.register(AccessLink)
class AccessLinkAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("The links that patients and guests come by, to look at and to revoke.")
    read_only = True
    patient_path = "patient"
    list_display = ("created_at", "kind", "bearer", "expires_at", "first_used_at", "state", "clinic")
    list_filter = ("kind", "clinic", "created_at", ("revoked_at", HappenedFilter))
    search_fields = ("patient__family_name", "patient__given_name", "name")
    list_select_related = ("patient", "clinic")
    date_hierarchy = "created_at"
    fields = (
        "id", "kind", "bearer", "relationship", "clinic", "resource_id", "state", "created_at", "created_by",
        "expires_at", "first_used_at", "revoked_at", "failures",
    )  # fmt: skip
    actions = ("revoke",)

    @admin.display(description=_("for"))
    def bearer(self, link: AccessLink) -> str:
        return link.patient.full_name if link.patient else link.name

    @admin.display(description=_("state"))
    def state(self, link: AccessLink) -> Any:
        try:
            links.check_open(link)
        except links.LinkClosed as closed:
            return STATES[closed.state]
        return _("open")

    @admin.action(description=_("Revoke: the links open nothing any more"), permissions=["view"])
    @confirmed
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessLink]) -> None:
        principal, user = principal_of(request), cast(User, request.user)
        count = sum(links.revoke(principal=principal, user=user, link=link) for link in queryset)
        words = ngettext("%(count)d link revoked.", "%(count)d links revoked.", count)
        messages.success(request, words % {"count": count})


STATES = {
    links.State.EXPIRED: _("expired"),
    links.State.REVOKED: _("revoked"),
    links.State.LOCKED: _("locked"),
}
