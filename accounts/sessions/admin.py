"""The admin of sessions: where the clinic's people are signed in, each to be ended."""

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, principal_of
from accounts.admin_sections import Section
from accounts.models import Membership, Session, User
from accounts.sessions import services
from accounts.sessions.devices import words_for
from accounts.sessions.store import SessionStore

if TYPE_CHECKING:
    from accounts.admin import UserAdmin


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

    def in_scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Of who works in the clinic now: where a former member is signed in is no business of theirs."""
        principal = principal_of(request)
        if principal is None or getattr(request.user, "is_superuser", False):
            return super().in_scope(request, rows)
        members = Membership.objects.filter(clinic=principal.clinic, is_active=True)
        return rows.filter(user__in=members.values("user"))

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
        people = cast("UserAdmin", self.admin_site._registry[User])
        chosen = [session for session in queryset if session != own]
        ended = [session for session in chosen if people.may_manage(request, cast(User, session.user))]
        if len(ended) < len(chosen):
            messages.warning(request, _("Left out: who may not sign in, or belongs to another clinic too."))
        for session in ended:
            services.end(request=request, session=session)
        words = ngettext("%(count)d session ended.", "%(count)d sessions ended.", len(ended))
        messages.success(request, words % {"count": len(ended)})
