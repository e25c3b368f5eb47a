"""Who acts for patients, to look at, change and end: by the same form and service as the pages of staff."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, HappenedFilter, principal_of
from accounts.admin_sections import Section
from accounts.models import RelatedPerson
from accounts.policy import Action
from accounts.proxies import services
from accounts.proxies.forms import GrantForm


@admin.register(RelatedPerson)
class RelatedPersonAdmin(ClinicScopedAdmin):
    section = Section.PEOPLE
    about = _("Parents, guardians and others who act for patients: for how much, until when.")
    policy_action = Action.PROXY_CHANGE
    clinic_path = "patient__clinic"
    patient_path = "patient"
    deletable = False  # ended instead: the trail names them
    form = GrantForm
    fixed_fields = ("patient",)
    fields = ("patient", *GrantForm.Meta.fields, "granted_at", "granted_by", "revoked_at", "revoked_by")
    readonly_fields = ("granted_at", "granted_by", "revoked_at", "revoked_by")
    list_display = ("name", "what_they_are", "patient", "basis", "valid_from", "last_day", "in_force")
    list_filter = ("basis", "relationship", "messages", ("revoked_at", HappenedFilter), "valid_until")
    search_fields = ("patient__family_name", "patient__given_name")
    search_help_text = _("The name of the patient")
    date_hierarchy = "granted_at"
    list_select_related = ("patient__clinic",)
    sortable_by = ("patient", "basis", "valid_from")
    actions = ("end_now",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A grant begins at its patient's page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_over = obj is not None and obj.revoked_at is not None
        return principal_of(request) is not None and not is_over and super().has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.by = request.user
        return form

    def save_model(self, request: HttpRequest, obj: RelatedPerson, form: Any, change: bool) -> None:
        principal = principal_of(request)
        if principal is not None:
            services.change(principal=principal, person=obj)
            _warn_if_untold(request, obj)

    @admin.display(description=_("name"))
    def name(self, person: RelatedPerson) -> str:
        return person.full_name

    @admin.display(description=_("relationship"))
    def what_they_are(self, person: RelatedPerson) -> str:
        return person.relationship_label

    @admin.display(description=_("until"))
    def last_day(self, person: RelatedPerson) -> Any:
        return person.ends_after

    @admin.display(description=_("in force"), boolean=True)
    def in_force(self, person: RelatedPerson) -> bool:
        return person.is_active()

    @admin.action(description=_("End: they do nothing for the patient any more"), permissions=["change"])
    @confirmed
    def end_now(self, request: HttpRequest, queryset: QuerySet[RelatedPerson]) -> None:
        principal = principal_of(request)
        people = [] if principal is None else list(queryset.filter(revoked_at=None))
        for person in people:
            services.end(principal=principal, person=person)  # type: ignore[arg-type]
            _warn_if_untold(request, person)
        words = ngettext("%(count)d person acts no more.", "%(count)d people act no more.", len(people))
        messages.success(request, words % {"count": len(people)})


def _warn_if_untold(request: HttpRequest, person: RelatedPerson) -> None:
    """Who ends or changes a grant tells the patient, where no message does: a floor above knows, by its tag."""
    if words := render_to_string("proxies/untold.txt", {"person": person}).strip():
        messages.warning(request, words)
