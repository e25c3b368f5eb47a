from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin, principal_of
from accounts.admin_sections import Section, Step
from visits.checkin.models import CheckIn, Consent, ConsentText


@admin.register(ConsentText)
class ConsentTextAdmin(ClinicScopedAdmin):
    """A published text stays as it is (the database refuses a change): add the next version."""

    section = Section.TEXTS
    about = _("The agreement that patients give before a visit, one for each language.")
    step = Step(3, _("Write the agreement that patients give before a visit"))
    list_display = ("clinic", "language", "version", "published_at")
    list_filter = ("clinic", "language")
    search_fields = ("body",)
    date_hierarchy = "published_at"
    deletable = False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The first language that the clinic has no text in; the next version of its own where each has one."""
        principal = principal_of(request)
        if principal is None:
            return {}
        newest = dict(principal.clinic.consent_texts.values_list("language").annotate(Max("version")))
        languages = sorted(dict(settings.LANGUAGES), key=lambda code: code != principal.clinic.language)
        language = next((code for code in languages if code not in newest), principal.clinic.language)
        return {"language": language, "version": newest.get(language, 0) + 1}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Consent)
class ConsentAdmin(ClinicScopedAdmin):
    section = Section.TEXTS
    about = _("Which patient agreed to which text, and when.")
    list_display = ("given_at", "patient", "appointment", "text")
    list_filter = ("text__language", "given_at")
    search_fields = ("patient__family_name", "patient__given_name", "=appointment__id")
    list_select_related = ("patient", "appointment__practitioner", "text__clinic")
    date_hierarchy = "given_at"
    clinic_path = "appointment__clinic"
    patient_path = "patient"
    read_only = True


@admin.register(CheckIn)
class CheckInAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("How far patients are with getting ready.")
    list_display = ("appointment", "patient", "details_at", "camera", "microphone", "devices_at")
    list_filter = ("camera", "microphone", "details_at")
    search_fields = ("appointment__patient__family_name", "appointment__patient__given_name", "=appointment__id")
    list_select_related = ("appointment__patient", "appointment__practitioner")
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True

    @admin.display(description=_("patient"), ordering="appointment__patient__family_name")
    def patient(self, row: CheckIn) -> str:
        return row.appointment.patient.full_name
