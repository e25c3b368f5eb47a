"""That there are summaries, by whom and since when. What they say is on no page of the administration."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin
from visits.summary.models import Composition


@admin.register(Composition)
class CompositionAdmin(ClinicScopedAdmin):
    about = _("That a patient has a summary, by whom and since when. What it says is for them and their clinicians.")
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True
    list_display = ("appointment", "patient", "version", "status", "author_name", "published_at", "clinic")
    list_filter = ("status", "language", ("published_at", admin.DateFieldListFilter), "appointment__clinic")
    list_select_related = ("appointment__clinic", "appointment__patient", "appointment__practitioner", "author")
    search_fields = ("=appointment__id", "appointment__patient__family_name", "appointment__patient__given_name")
    search_help_text = _("Patient’s name, or the id of a visit")
    date_hierarchy = "saved_at"
    fields = (
        "appointment", "patient", "version", "status", "language", "author", "author_name", "saved_at", "published_at",
    )  # fmt: skip

    @admin.display(description=_("patient"), ordering="appointment__patient__family_name")
    def patient(self, row: Composition) -> str:
        return row.appointment.patient.full_name

    @admin.display(description=_("clinic"), ordering="appointment__clinic__name")
    def clinic(self, row: Composition) -> str:
        return row.appointment.clinic.name
