from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin
from accounts.admin_sections import Section
from visits.schedule.models import Weekday
from visits.waitlist.models import Offer, WaitlistEntry


@admin.register(WaitlistEntry)
class WaitlistEntryAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("Who wants an earlier visit.")
    list_display = ("appointment", "patient", "anyone", "last_day", "created_at", "ended_at", "end")
    list_filter = ("end", "created_at", "appointment__practitioner")
    search_fields = ("appointment__patient__family_name", "appointment__patient__given_name", "=appointment__id")
    list_select_related = ("appointment__patient", "appointment__practitioner")
    date_hierarchy = "created_at"
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True
    fields = (
        "appointment", "patient", "anyone", "on_days", "morning", "afternoon", "evening", "last_day", "created_at",
        "ended_at", "end",
    )  # fmt: skip
    readonly_fields = ("patient", "on_days")

    @admin.display(description=_("weekdays"))
    def on_days(self, row: WaitlistEntry) -> str:
        return ", ".join(str(Weekday(int(day)).label) for day in row.weekdays)

    @admin.display(description=_("patient"), ordering="appointment__patient__family_name")
    def patient(self, row: WaitlistEntry) -> str:
        return row.appointment.patient.full_name


@admin.register(Offer)
class OfferAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("Earlier times that were offered, and what became of them.")
    list_display = ("start", "practitioner", "patient", "state", "made_at", "until", "closed_at")
    list_filter = ("state", "made_at", "practitioner")
    search_fields = ("entry__appointment__patient__family_name", "=entry__appointment__id")
    list_select_related = ("entry__appointment__patient", "practitioner")
    date_hierarchy = "made_at"
    clinic_path = "practitioner__clinic"
    patient_path = "entry__appointment__patient"
    read_only = True

    @admin.display(description=_("patient"), ordering="entry__appointment__patient__family_name")
    def patient(self, row: Offer) -> str:
        return row.entry.appointment.patient.full_name
