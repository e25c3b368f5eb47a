"""Video visits to look at: who had a seat, and from when to when they were there."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ClinicScopedAdmin, ClinicScopedInline
from visits.room.models import Encounter, Presence, Seat
from visits.schedule.moment import Moment, of_page


class SeatInline(ClinicScopedInline):
    model = Seat
    clinic_path = "encounter__appointment__clinic"
    read_only = True
    fields = ("name", "role", "presences_shown", "epoch")
    readonly_fields = ("presences_shown",)
    verbose_name_plural = _("who was there")

    @admin.display(description=_("presences"))
    def presences_shown(self, seat: Seat) -> str:
        return ", ".join(_stretch(seat.encounter, one) for one in seat.presences.all()) or "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("encounter__appointment__clinic")
        return rows.prefetch_related("presences")


@admin.register(Encounter)
class EncounterAdmin(ClinicScopedAdmin):
    clinic_path = "appointment__clinic"
    patient_path = "appointment__patient"
    read_only = True
    inlines = (SeatInline,)
    list_display = ("begun", "ended", "practitioner", "patient", "status", "ended_by", "clinic")
    list_filter = ("status", "appointment__practitioner", ("started_at", admin.DateFieldListFilter))
    list_select_related = ("appointment__clinic", "appointment__practitioner", "appointment__patient", "ended_by")
    search_fields = (
        "id",
        "appointment__id",
        "appointment__patient__family_name",
        "appointment__patient__given_name",
        "appointment__practitioner__name",
    )
    search_help_text = _("Patient, clinician, or an id")
    date_hierarchy = "started_at"

    @admin.display(description=_("started"), ordering="started_at")
    def begun(self, encounter: Encounter) -> str:
        when = _moment(encounter, encounter.started_at)
        return f"{when.weekday}, {when.full_date}, {when.time} {when.zone_code}"

    @admin.display(description=_("ended"), ordering="ended_at")
    def ended(self, encounter: Encounter) -> str:
        return _moment(encounter, encounter.ended_at).time if encounter.ended_at else "–"

    @admin.display(description=_("clinician"), ordering="appointment__practitioner__name")
    def practitioner(self, encounter: Encounter) -> str:
        return encounter.appointment.practitioner.name

    @admin.display(description=_("patient"), ordering="appointment__patient__family_name")
    def patient(self, encounter: Encounter) -> str:
        return encounter.appointment.patient.full_name

    @admin.display(description=_("clinic"), ordering="appointment__clinic__name")
    def clinic(self, encounter: Encounter) -> str:
        return encounter.appointment.clinic.name

    def view_on_site(self, obj: Any) -> str:
        return reverse("room:visit", kwargs={"pk": obj.appointment_id})


def _moment(encounter: Encounter, instant: datetime) -> Moment:
    """By the clinic's own clock."""
    return of_page(instant, encounter.appointment.clinic.time_zone)


def _stretch(encounter: Encounter, presence: Presence) -> str:
    start = _moment(encounter, presence.joined_at).exact_time
    end = _moment(encounter, presence.left_at).exact_time if presence.left_at else ""
    return f"{start} – {end}".strip()
