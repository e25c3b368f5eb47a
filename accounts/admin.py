"""The admin of clinics and people, of links, and of the audit trail."""

import json
import uuid
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import members
from accounts.admin_actions import answered, confirmed
from accounts.admin_base import ClinicScopedAdmin, ClinicScopedInline, principal_of
from accounts.admin_sections import Section
from accounts.audit.export import as_csv
from accounts.audit.forms import TrailForm
from accounts.contact import normal_email, normal_phone
from accounts.emergency import admin as _emergency  # noqa: F401 - registers itself
from accounts.invitations import admin as _invitations  # noqa: F401 - registers itself
from accounts.links import services as links
from accounts.login.stepup import fresh_factor
from accounts.member_forms import MembershipForm, UserForm, refusal
from accounts.mfa import services as mfa
from accounts.mfa.notices import tell_old_address
from accounts.mfa.resetting import ResetForm
from accounts.models import AccessLink, AuditEvent, Clinic, Membership, Patient, Practitioner, User
from accounts.password import services as password
from accounts.policy import STAFF_ROLES, Action, Role
from accounts.proxies import admin as _proxies  # noqa: F401 - registers itself
from accounts.roster import patients, people
from accounts.roster.admin import RosterAdmin
from accounts.roster.forms import PatientsForm, StaffForm
from accounts.sessions import admin as _sessions  # noqa: F401 - registers itself
from accounts.sessions import services as sessions
from accounts.sessions.store import SessionStore


@admin.register(Clinic)
class ClinicAdmin(ClinicScopedAdmin):
    section = Section.PEOPLE
    about = _("The clinic's name, phone, clock and language, and how its visits are encrypted.")
    audited_fields = ("encryption", "names_staff", "patients_need_factor")
    clinic_path = "pk"
    deletable = False
    list_display = ("name", "slug", "time_zone", "language", "phone")
    list_filter = ("language",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_superuser", False))


class MembershipInline(ClinicScopedInline):
    model = Membership
    form = MembershipForm
    deletable = False
    readonly_fields = ("clinic",)
    verbose_name = _("membership")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Members are invited."""
        return False

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.by = request.user
        return formset


class RoleFilter(admin.SimpleListFilter):
    """By role in the clinics that the person may see; a role elsewhere is not theirs to find out."""

    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role.value, role.label) for role in STAFF_ROLES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        if self.value() is None:
            return queryset
        memberships = admin.site._registry[Membership].get_queryset(request)
        return queryset.filter(pk__in=memberships.filter(role=self.value()).order_by().values("user"))


@admin.register(User)
class UserAdmin(ClinicScopedAdmin):
    section = Section.PEOPLE
    about = _("Everybody who signs in: names, addresses, second factors. Somebody new is invited.")
    audited_fields = ("is_active", "is_staff", "is_superuser")
    form = UserForm
    clinic_path = "memberships__clinic"
    deletable = False  # the audit trail names them; ``is_active`` shuts them out
    inlines = (MembershipInline,)
    list_display = ("name", "email", "roles", "is_active", "is_staff", "second_factor", "last_login")
    list_filter = ("is_active", "is_staff", RoleFilter, "last_login")
    search_fields = ("name", "email")
    readonly_fields = ("second_factor", "last_login", "date_joined")
    actions = ("mail_password_link", "reset_second_factor", "end_sessions", "shut_out")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        memberships = self.admin_site._registry[Membership].get_queryset(request)
        shown = Prefetch("memberships", queryset=memberships, to_attr="shown_memberships")
        users: QuerySet[User] = super().get_queryset(request).filter(patient=None)
        return mfa.with_factors(users).prefetch_related(shown)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["name", "email", "language", "time_zone", "is_active", "is_staff"]
        if getattr(request.user, "is_superuser", False):
            fields.append("is_superuser")
        return fields + list(self.readonly_fields)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People make their accounts themselves, when they accept an invitation."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or self.may_manage(request, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.by = request.user
        return form

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            tell_old_address(obj, form.initial["email"])

    def may_manage(self, request: HttpRequest, user: User) -> bool:
        """A clinic's admin manages who belongs to that clinic alone: else they could take over a stranger's account."""
        if getattr(request.user, "is_superuser", False):
            return True
        principal = principal_of(request)
        if principal is None or user.is_superuser:
            return False
        return not user.memberships.exclude(clinic=principal.clinic).exists()

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        shown: list[Membership] = getattr(user, "shown_memberships", [])
        return ", ".join(f"{one.get_role_display()} ({one.clinic})" for one in shown if one.is_active)

    @admin.display(description=_("second factor"), boolean=True)
    def second_factor(self, user: User) -> bool:
        return bool(user.has_second_factor)  # type: ignore[attr-defined]

    @admin.action(description=_("Mail a link to choose a password"), permissions=["change"])
    @confirmed
    def mail_password_link(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        chosen = self._manageable(request, queryset)
        for user in chosen:
            self.audit(request, "user.password-mail", AuditEvent.Action.EXECUTE, user)
            password.request_mail(user)
        words = ngettext("%(count)d link is on its way.", "%(count)d links are on their way.", len(chosen))
        messages.success(request, words % {"count": len(chosen)})

    @admin.action(description=_("Reset the second factor (phone lost)"), permissions=["change"])
    @answered(ResetForm)
    def reset_second_factor(
        self, request: HttpRequest, queryset: QuerySet[User], said: dict[str, Any]
    ) -> HttpResponseBase:
        """For who gave their own second factor a moment ago."""
        return fresh_factor(self._reset)(request, queryset, said)

    def _reset(self, request: HttpRequest, queryset: QuerySet[User], said: dict[str, Any]) -> HttpResponseBase:
        chosen = self._manageable(request, queryset)
        if request.user in chosen:
            chosen.remove(request.user)
            messages.error(request, _("Nobody resets their own second factor: another admin does, or you change it."))
        for user in chosen:
            self.audit(request, "mfa.reset", AuditEvent.Action.DELETE, user, **said)
            mfa.reset(user, by=cast(User, request.user))
        words = ngettext(
            "%(count)d person sets up their phone again at the next sign-in.",
            "%(count)d people set up their phones again at the next sign-in.",
            len(chosen),
        )
        messages.success(request, words % {"count": len(chosen)})
        return redirect(request.get_full_path())

    @admin.action(description=_("End all sessions"), permissions=["change"])
    @confirmed
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        own = cast(SessionStore, request.session)
        chosen = self._manageable(request, queryset)
        count = sum(sessions.end_all(user, why="admin", but=own, request=request) for user in chosen)
        words = ngettext("%(count)d session ended.", "%(count)d sessions ended.", count)
        messages.success(request, words % {"count": count})

    @admin.action(description=_("Shut out: they may not sign in any more"), permissions=["change"])
    @confirmed
    def shut_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        count = 0
        for user in self._manageable(request, queryset):
            user.is_active = False
            try:
                members.check_user(user, by=cast(User, request.user))
            except (members.OwnRights, members.LastAdmin) as refused:
                messages.error(request, f"{user}: {refusal(refused)}")
                continue
            user.save(update_fields=["is_active"])
            self.audit(request, "admin.change", AuditEvent.Action.UPDATE, user, **self.audited_values(user))
            count += 1
        words = ngettext("%(count)d person is shut out.", "%(count)d people are shut out.", count)
        messages.success(request, words % {"count": count})

    def _manageable(self, request: HttpRequest, users: QuerySet[User]) -> list[User]:
        found = list(users)
        chosen = [user for user in found if user.is_active and self.may_manage(request, user)]
        if len(chosen) < len(found):
            messages.warning(request, _("Left out: who may not sign in, or belongs to another clinic too."))
        return chosen


@admin.register(Membership)
class MembershipAdmin(RosterAdmin):
    form = MembershipForm
    deletable = False  # set inactive: so the list says who worked here
    roster = people
    export_form = StaffForm
    section = Section.PEOPLE
    about = _("Who works in the clinic, and as what. Somebody new is invited.")
    audited_fields = ("role", "is_active")
    fixed_fields = ("user",)
    list_display = ("user", "clinic", "role", "is_active")
    list_filter = ("role", "is_active", "clinic")
    search_fields = ("user__name", "user__email")
    list_select_related = ("user", "clinic")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Members are invited."""
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.by = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        members.change(membership=obj, by=cast(User, request.user))


@admin.register(Practitioner)
class PractitionerAdmin(ClinicScopedAdmin):
    section = Section.PEOPLE
    about = _("Clinicians as patients see them, and when they see patients.")
    list_display = ("name", "specialty", "user", "clinic", "is_active")
    list_filter = ("is_active", "clinic", "specialty")
    search_fields = ("name", "specialty", "user__email")
    list_select_related = ("user", "clinic")


@admin.register(Patient)
class PatientAdmin(RosterAdmin):
    roster = patients
    export_form = PatientsForm
    section = Section.PEOPLE
    about = _("Names, birth dates and addresses. Nothing clinical is shown here.")
    deletable = False
    list_display = ("family_name", "given_name", "birth_date", "phone", "email", "language", "clinic")
    list_display_links = ("family_name", "given_name")
    list_filter = ("language", "clinic", "created_at")
    search_fields = ("family_name", "given_name")
    search_help_text = _("A name, or a whole e-mail address or phone number")
    sortable_by = ("family_name", "given_name", "birth_date", "language", "clinic")
    readonly_fields = ("created_at",)
    list_select_related = ("clinic",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who was erased stays so."""
        return (obj is None or obj.erased_at is None) and super().has_change_permission(request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Patient], search_term: str
    ) -> tuple[QuerySet[Patient], bool]:
        found, has_doubles = super().get_search_results(request, queryset, search_term)
        principal, term = principal_of(request), search_term.strip()
        number = normal_phone(term, principal.clinic.time_zone if principal else "")
        by_address = Q(email_hash__of=normal_email(term)) | Q(phone_hash__of=number)
        return (found | queryset.filter(by_address)) if term else found, has_doubles


@admin.register(AccessLink)
class AccessLinkAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("The links that patients and guests come by, to look at and to revoke.")
    read_only = True
    patient_path = "patient"
    list_display = ("created_at", "kind", "bearer", "expires_at", "first_used_at", "state", "clinic")
    list_filter = ("kind", "clinic", "created_at", ("revoked_at", admin.EmptyFieldListFilter))
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
        count = sum(links.revoke(principal=principal_of(request), link=link) for link in queryset)
        words = ngettext("%(count)d link revoked.", "%(count)d links revoked.", count)
        messages.success(request, words % {"count": count})


STATES = {
    links.State.EXPIRED: _("expired"),
    links.State.REVOKED: _("revoked"),
    links.State.LOCKED: _("locked"),
}


class ActorRoleFilter(admin.SimpleListFilter):
    """By the role in which somebody did it, in words."""

    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(role.value, role.label) for role in Role]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(role=self.value()) if self.value() else queryset


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
        ("recorded", admin.DateFieldListFilter),
        "subtype",
        "user",
    )
    list_select_related = ("user", "link", "clinic")
    search_fields = ("entity_id",)
    search_help_text = _("An id (of a person, patient, object or request), or an event such as link.redeem")
    date_hierarchy = "recorded"
    show_full_result_count = False
    list_per_page = 50
    fields = (
        "when", "subtype", "action", "outcome", "who", "as_role", "clinic", "entity_type", "entity_id",
        "patient_key", "address", "request_id", "pretty_detail",
    )  # fmt: skip
    readonly_fields = ("when", "who", "as_role", "patient_key", "pretty_detail")

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

    @admin.display(description=_("detail"))
    def pretty_detail(self, event: AuditEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.detail, indent=2, sort_keys=True))
