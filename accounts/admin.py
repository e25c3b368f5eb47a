"""The admin of clinics and people; each part of accounts that has one of its own registers it here."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import members
from accounts.admin_actions import answered, confirmed
from accounts.admin_base import ClinicScopedAdmin, ClinicScopedInline, principal_of
from accounts.admin_sections import Section, Step
from accounts.audit import admin as _audit  # noqa: F401 - registers itself
from accounts.contact import normal_email, normal_phone, normal_record_number
from accounts.emergency import admin as _emergency  # noqa: F401 - registers itself
from accounts.invitations import admin as _invitations  # noqa: F401 - registers itself
from accounts.links import admin as _links  # noqa: F401 - registers itself
from accounts.login.stepup import fresh_factor
from accounts.member_forms import MembershipForm, UserForm, refusal
from accounts.mfa import services as mfa
from accounts.mfa.notices import tell_old_address
from accounts.mfa.resetting import ResetForm
from accounts.models import AuditEvent, Clinic, Membership, Patient, Practitioner, User
from accounts.password import services as password
from accounts.policy import STAFF_ROLES
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
    radio_fields = {"encryption": admin.VERTICAL}

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
    gives_rights = True
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
    date_hierarchy = "date_joined"
    readonly_fields = ("second_factor", "last_login", "date_joined")
    actions = ("mail_password_link", "reset_second_factor", "end_sessions", "shut_out")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        memberships = self.admin_site._registry[Membership].get_queryset(request)
        shown = Prefetch("memberships", queryset=memberships, to_attr="shown_memberships")
        users: QuerySet[User] = super().get_queryset(request).filter(patient=None, related_person=None)
        return mfa.with_factors(users).prefetch_related(shown)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ["name", "email", "language", "time_zone", "is_active", "is_staff"]
        if getattr(request.user, "is_superuser", False):
            fields.append("is_superuser")
        return fields + list(self.readonly_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """An address is unique among all clinics, so who may try one learns who has an account elsewhere."""
        fields = super().get_readonly_fields(request, obj)
        return fields if getattr(request.user, "is_superuser", False) else ("email", *fields)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People make their accounts themselves, when they accept an invitation."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or self.may_manage(request, obj))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.by = request.user
        return form

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        for membership, _fields in formset.changed_objects:
            members.let_into_admin(membership)

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
    gives_rights = True
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
    actions = ("set_inactive",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Members are invited."""
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.by = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        members.change(membership=obj, by=cast(User, request.user))

    @admin.action(description=_("Set inactive: they do not work here any more"), permissions=["change"])
    @confirmed
    def set_inactive(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        count = 0
        for membership in queryset.filter(is_active=True):
            membership.is_active = False
            try:
                members.change(membership=membership, by=cast(User, request.user))
            except (members.OwnRights, members.LastAdmin) as refused:
                messages.error(request, f"{membership.user}: {refusal(refused)}")
                continue
            values = self.audited_values(membership)
            self.audit(request, "admin.change", AuditEvent.Action.UPDATE, membership, fields=["is_active"], **values)
            count += 1
        words = ngettext("%(count)d membership is inactive.", "%(count)d memberships are inactive.", count)
        messages.success(request, words % {"count": count})


@admin.register(Practitioner)
class PractitionerAdmin(ClinicScopedAdmin):
    section = Section.PEOPLE
    about = _("Clinicians as patients see them, and when they see patients.")
    step = Step(4, _("Add each clinician who has accepted, with their weekly hours"))
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
    step = Step(5, _("Add the first patient"))
    deletable = False
    list_display = ("family_name", "given_name", "birth_date", "record_number", "phone", "email", "language", "clinic")
    list_display_links = ("family_name", "given_name")
    list_filter = ("language", "clinic", "created_at")
    search_fields = ("family_name", "given_name")
    search_help_text = _("A name, or a whole e-mail address, phone number or record number")
    sortable_by = ("family_name", "given_name", "birth_date", "language", "clinic")
    date_hierarchy = "created_at"
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
        by_number = Q(record_number_hash__of=normal_record_number(term))
        return (found | queryset.filter(by_address | by_number)) if term else found, has_doubles
