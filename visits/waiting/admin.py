from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin
from accounts.admin_sections import Section
from visits.waiting.models import Delay, Ticket


@admin.register(Ticket)
class TicketAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("Who waited, and for how long.")
    list_display = ("appointment", "patient", "arrived_at", "seen_at", "admitted_at", "admitted_by", "finished_at")
    list_filter = ("arrived_at", "appointment__practitioner", "appointment__status")
    search_fields = ("appointment__patient__family_name", "appointment__patient__given_name", "=appointment__id")
    list_select_related = ("appointment__patient", "appointment__practitioner", "admitted_by")
    date_hierarchy = "arrived_at"
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True

    @admin.display(description=_("patient"), ordering="appointment__patient__family_name")
    def patient(self, row: Ticket) -> str:
        return row.appointment.patient.full_name


@admin.register(Delay)
class DelayAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("When a clinician ran late, and by how much.")
    list_display = ("practitioner", "day", "minutes", "changed_at", "changed_by")
    list_filter = ("day", "practitioner")
    list_select_related = ("practitioner", "changed_by")
    date_hierarchy = "day"
    clinic_path = "practitioner__clinic"
    read_only = True
