"""Video visits to look at: who had a seat, and from when to when they were there. Media relays to look after."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, ClinicScopedInline
from accounts.admin_sections import Section
from accounts.models import AuditEvent
from visits.room import nodes, watch
from visits.room.models import Encounter, Presence, RelayNode, Seat
from visits.schedule.moment import Moment, of_page


class SeatInline(ClinicScopedInline):
    model = Seat
    clinic_path = "encounter__appointment__clinic"
    read_only = True
    fields = ("name", "role", "presences_shown")
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
    section = Section.VISITS
    about = _("Video visits that took place: who was there, and from when to when.")
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


@admin.register(RelayNode)
class RelayNodeAdmin(ClinicScopedAdmin):
    """They belong to no clinic, so they are the superuser's."""

    section = Section.MACHINE
    about = _("The programs that pass sound and pictures on: how busy they are, and taking them out of service.")
    clinic_path = ""
    read_only = True
    actions = ("drain", "move_now", "take_back")
    list_display = ("id", "status", "heard", "meter", "rooms", "peers", "processor", "sends", "address")
    fields = (*list_display, "drained_at")
    list_filter = ("state",)
    search_fields = ("id", "address")

    def may(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def in_scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows if self.may(request) else rows.none()

    def clinic_of(self, obj: Any) -> None:
        return None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.may(request):
            watch.look_once()
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("status"), ordering="state")
    def status(self, node: RelayNode) -> str:
        is_full = node.full and node.state == RelayNode.State.ACTIVE
        return gettext("Full") if is_full else str(node.get_state_display())

    @admin.display(description=_("last sign of life"), ordering="seen_at")
    def heard(self, node: RelayNode) -> str:
        seconds = max(0, round((timezone.now() - node.seen_at).total_seconds()))
        if seconds >= 60:
            return gettext("%(time)s ago") % {"time": timesince(node.seen_at, depth=1)}
        return ngettext("%(count)d second ago", "%(count)d seconds ago", seconds) % {"count": seconds}

    @admin.display(description=_("load"), ordering="load")
    def meter(self, node: RelayNode) -> str:
        shown = f"{node.load:.0%}"
        return format_html(
            '<span><meter min="0" max="1" low="0.7" high="0.85" optimum="0" value="{}">{}</meter> {}</span>',
            node.load,
            shown,
            shown,
        )

    @admin.display(description=_("processor"), ordering="cpu")
    def processor(self, node: RelayNode) -> str:
        return f"{node.cpu:.0%}"

    @admin.display(description=_("sends"), ordering="bitrate")
    def sends(self, node: RelayNode) -> str:
        return f"{node.bitrate / 1e6:.1f} Mbit/s"

    @admin.action(description=_("Drain: no new visits, those that are here go on"), permissions=["view"])
    @confirmed
    def drain(self, request: HttpRequest, chosen: QuerySet[RelayNode]) -> None:
        for node in chosen:
            if nodes.drain(node):
                self.audit(request, "relay.drain", AuditEvent.Action.UPDATE, node)
        messages.success(request, gettext("They get no new visits."))

    @admin.action(description=_("Drain and move the visits to other relays now"), permissions=["view"])
    @confirmed
    def move_now(self, request: HttpRequest, chosen: QuerySet[RelayNode]) -> None:
        self.drain(request, chosen)  # which was asked for, too
        for node in chosen:
            moved, stayed = nodes.move_rooms(node)
            self.audit(request, "relay.move", AuditEvent.Action.UPDATE, node, moved=moved, stayed=stayed)
            text = ngettext("%(count)d visit moves.", "%(count)d visits move.", moved) % {"count": moved}
            messages.success(request, text)
            if stayed:
                text = ngettext(
                    "%(count)d visit stays: no other relay can take it.",
                    "%(count)d visits stay: no other relay can take them.",
                    stayed,
                )
                messages.warning(request, text % {"count": stayed})

    @admin.action(description=_("Take back: new visits again"), permissions=["view"])
    @confirmed
    def take_back(self, request: HttpRequest, chosen: QuerySet[RelayNode]) -> None:
        for node in chosen:
            if nodes.take_back(node):
                self.audit(request, "relay.take-back", AuditEvent.Action.UPDATE, node)
        messages.success(request, gettext("They get new visits again."))
