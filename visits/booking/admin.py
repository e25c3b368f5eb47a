"""Visits to look at. They are booked and changed on their own pages, where people are told of it."""

from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin
from accounts.admin_sections import Section
from visits.booking.models import Appointment
from visits.schedule.moment import of_page


@admin.register(Appointment)
class AppointmentAdmin(ClinicScopedAdmin):
    section = Section.VISITS
    about = _("All visits to look at. They are booked and changed in the calendar.")
    patient_path = "patient"
    read_only = True
    list_display = ("starts", "practitioner", "patient", "visit_type", "status", "booked_by", "clinic")
    list_display_links = ("starts",)
    list_filter = ("status", "practitioner", "visit_type", "clinic", ("start", admin.DateFieldListFilter))
    list_select_related = ("clinic", "practitioner", "patient", "visit_type", "created_by")
    search_fields = ("id", "patient__family_name", "patient__given_name", "practitioner__name")
    search_help_text = _("Patient, clinician, or an id")
    date_hierarchy = "start"
    ordering = ("-start",)

    @admin.display(description=_("start"), ordering="start")
    def starts(self, visit: Appointment) -> str:
        """By the clinic's own clock."""
        when = of_page(visit.start, visit.clinic.time_zone)
        return f"{when.weekday}, {when.full_date}, {when.time} {when.zone_code}"

    @admin.display(description=_("booked by"), ordering="created_by__name")
    def booked_by(self, visit: Appointment) -> str:
        return visit.created_by.name if visit.created_by else "–"

    def view_on_site(self, obj: Any) -> str:
        return reverse("room:visit", kwargs={"pk": obj.pk})
