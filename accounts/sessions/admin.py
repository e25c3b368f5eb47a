"""The admin of sessions: where the clinic's people are signed in, each to be ended."""

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin
from accounts.admin_sections import Section
from accounts.models import Session
from accounts.sessions import services
from accounts.sessions.devices import words_for
from accounts.sessions.store import SessionStore


@admin.register(Session)
class SessionAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("Where the clinic's people are signed in now. Ending one takes effect at once, in a call too.")
    read_only = True
    clinic_path = "user__memberships__clinic"
    list_display = ("user", "device", "network", "began_at", "seen_at", "expires_at")
    list_filter = ("began_at", "seen_at")
    search_fields = ("user__name", "user__email")
    list_select_related = ("user",)
    date_hierarchy = "began_at"
    fields = ("user", "device", "network", "began_at", "seen_at", "expires_at")
    readonly_fields = ("device",)
    actions = ("end",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Of people who sign in, while they last."""
        rows: QuerySet[Session] = super().get_queryset(request)
        return rows.filter(user__isnull=False, expires_at__gt=timezone.now())

    @admin.display(description=_("browser"))
    def device(self, session: Session) -> str:
        return words_for(session.user_agent)

    @admin.action(description=_("End: the person signs in anew"), permissions=["view"])
    @confirmed
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        own = cast(SessionStore, request.session).row
        ended = [session for session in queryset if session != own]
        for session in ended:
            services.end(request=request, session=session)
        words = ngettext("%(count)d session ended.", "%(count)d sessions ended.", len(ended))
        messages.success(request, words % {"count": len(ended)})
