"""Invitations of staff: sent, sent again, withdrawn; what became of each."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, principal_of
from accounts.admin_sections import Section, Step
from accounts.invitations import services
from accounts.invitations.forms import InvitationForm, refusal
from accounts.models import Clinic, Invitation, User
from accounts.models.invitation import State
from accounts.policy import Role


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> QuerySet[Invitation]:
        asked = self.value()
        return cast(Any, queryset).in_state(State(asked)) if asked in State.values else queryset


@admin.register(Invitation)
class InvitationAdmin(ClinicScopedAdmin):
    gives_rights = True
    section = Section.PEOPLE
    about = _("Ask somebody to work in the clinic: they get a link by e-mail, and are members once they accept.")
    step = Step(1, _("Invite those who work here"))
    deletable = False
    form = InvitationForm
    list_display = ("email", "name", "role", "state", "created_at", "sent_at", "expires_at", "created_by", "clinic")
    list_filter = (StateFilter, "role", "created_at", "clinic")
    search_fields = ("email", "name")
    list_select_related = ("clinic", "created_by")
    date_hierarchy = "created_at"
    fields = (
        "email", "name", "role", "language", "state", "created_at", "created_by", "sent_at", "expires_at",
        "accepted_at", "accepted_by", "withdrawn_at", "clinic",
    )  # fmt: skip
    actions = ("resend", "withdraw")

    def is_begun(self, clinic: Clinic) -> bool:
        """Somebody besides admins is invited or there: the first admin came by an invitation as well."""
        people = (Invitation.objects.filter(clinic=clinic), clinic.memberships.all())
        return any(rows.exclude(role=Role.CLINIC_ADMIN).exists() for rows in people)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was sent is not changed: it is withdrawn, and another one sent."""
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else InvitationForm.Meta.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        principal = principal_of(request)
        return {"language": principal.clinic.language} if principal else {}

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().add_view(request, *args, **kwargs)
        except (services.AlreadyMember, services.AlreadyInvited) as refused:  # since the form was checked
            messages.error(request, refusal(refused))
            return redirect("admin:accounts_invitation_changelist")

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        services.invite(invitation=obj, request=request, **self._who(request))

    @admin.display(description=_("state"))
    def state(self, invitation: Invitation) -> str:
        return str(invitation.state().label)

    @admin.action(description=_("Send again: a new link, the one of before ends"), permissions=["add"])
    @confirmed
    def resend(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        count = self._each(request, queryset, services.resend)
        words = ngettext("%(count)d invitation is sent again.", "%(count)d invitations are sent again.", count)
        messages.success(request, words % {"count": count})

    @admin.action(description=_("Withdraw: the links open nothing any more"), permissions=["add"])
    @confirmed
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        count = self._each(request, queryset, services.withdraw)
        words = ngettext("%(count)d invitation is withdrawn.", "%(count)d invitations are withdrawn.", count)
        messages.success(request, words % {"count": count})

    def _each(self, request: HttpRequest, queryset: QuerySet[Invitation], act: Callable[..., None]) -> int:
        """Do it to each that can still be answered; how many there were."""
        count = left_out = 0
        for invitation in queryset.select_related("clinic"):
            try:
                act(invitation=invitation, request=request, **self._who(request))
                count += 1
            except services.Ended:
                left_out += 1
        if left_out:
            messages.warning(request, _("Left out: what is accepted or withdrawn."))
        return count

    def _who(self, request: HttpRequest) -> dict[str, Any]:
        principal = principal_of(request)
        return {"principal": principal, "user": None if principal else cast(User, request.user)}
