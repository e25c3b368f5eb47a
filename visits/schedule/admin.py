"""What can be booked, and when: a clinic admin keeps both."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin
from accounts.models import Clinic
from visits.schedule.models import Availability, VisitType


@admin.register(VisitType)
class VisitTypeAdmin(ClinicScopedAdmin):
    deletable = False  # visits were booked as it; ``is_active`` takes it off the list
    list_display = ("name", "minutes", "is_active", "clinic")
    list_filter = ("is_active", "clinic")
    list_select_related = ("clinic",)
    search_fields = ("name",)


@admin.register(Availability)
class AvailabilityAdmin(ClinicScopedAdmin):
    clinic_path = "practitioner__clinic"
    list_display = ("practitioner", "weekday", "start_time", "end_time", "valid_from", "valid_until", "zone", "clinic")
    list_filter = ("weekday", "practitioner", "practitioner__clinic")
    list_select_related = ("practitioner__clinic",)
    search_fields = ("practitioner__name",)

    @admin.display(description=_("clinic"), ordering="practitioner__clinic__name")
    def clinic(self, hours: Availability) -> Clinic:
        return hours.practitioner.clinic

    @admin.display(description=_("time zone"), ordering="practitioner__clinic__time_zone")
    def zone(self, hours: Availability) -> str:
        return hours.practitioner.clinic.time_zone
