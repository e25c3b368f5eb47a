"""The ledger to read: what was sent, what not, and why. Sending again is the only thing to do here."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_base import ClinicScopedAdmin, principal_of
from accounts.models import Clinic
from visits.reminders import services
from visits.reminders.models import Communication


@admin.register(Communication)
class CommunicationAdmin(ClinicScopedAdmin):
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True
    actions = ["send_again"]
    list_display = ("due_at", "kind", "state", "reason", "sent_at", "attempts", "visit", "clinic")
    list_filter = ("state", "kind", "reason", ("due_at", admin.DateFieldListFilter), "appointment__clinic")
    list_select_related = ("appointment__clinic", "appointment__practitioner")
    search_fields = ("id", "appointment__id", "appointment__patient__family_name", "appointment__practitioner__name")
    search_help_text = _("Patient's last name, clinician, or an id")
    date_hierarchy = "due_at"
    ordering = ("-due_at",)
    list_per_page = 50

    @admin.display(description=_("visit"), ordering="appointment__start")
    def visit(self, message: Communication) -> str:
        return str(message.appointment)

    @admin.display(description=_("clinic"), ordering="appointment__clinic__name")
    def clinic(self, message: Communication) -> Clinic:
        return message.appointment.clinic

    @admin.action(description=_("Send again"))
    def send_again(self, request: HttpRequest, chosen: QuerySet[Communication]) -> None:
        principal = principal_of(request)
        if principal is None:
            self.message_user(request, _("Only members of a clinic send messages."), messages.ERROR)
            return
        planned = 0
        for message in chosen:
            try:
                services.resend(principal=principal, communication=message)
                planned += 1
            except services.NothingToSay as nothing:
                self.message_user(request, f"{message}: {nothing.reason.label}", messages.WARNING)
        if planned:
            self.message_user(
                request,
                ngettext("%(count)s message is on its way.", "%(count)s messages are on their way.", planned)
                % {"count": planned},
                messages.SUCCESS,
            )

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions
