"""What can be booked, and when: a clinic admin keeps all of it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.formats import time_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.admin import PractitionerAdmin
from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, ClinicScopedInline, principal_of
from accounts.admin_sections import Section, Step
from accounts.models import AuditEvent, Clinic, Practitioner
from visits.schedule.forms import CopyWeekForm
from visits.schedule.models import Availability, OpeningHours, ScheduleException, SchedulePolicy, VisitType
from visits.schedule.services import copy_week
from visits.schedule.wall_clock import MIDNIGHT


class UntilColumn:
    """When hours end, in a list: the midnight after their day is no time of that day."""

    @admin.display(description=_("to"), ordering="end_time")
    def until(self, hours: Availability | OpeningHours | ScheduleException) -> str | None:
        if hours.end_time is None:
            return None
        return gettext("midnight") if hours.end_time == MIDNIGHT else time_format(hours.end_time)


@admin.register(SchedulePolicy)
class SchedulePolicyAdmin(ClinicScopedAdmin):
    section = Section.SCHEDULE
    about = _("Booking by patients, walk-ins, holidays, and until when a visit can be changed.")
    deletable = False  # without a row there are the defaults
    once = True
    audited_fields = ("online_booking", "walk_ins", "holiday_region", "change_notice", "offer_minutes")
    list_display = ("of_clinic", "online_booking", "walk_ins", "holiday_region", "change_notice", "offer_minutes")
    list_filter = ("online_booking", "walk_ins", "clinic")
    list_select_related = ("clinic",)

    @admin.display(description=_("clinic"), ordering="clinic__name")
    def of_clinic(self, policy: SchedulePolicy) -> str:
        """Also for who has but one: it is the name of the row."""
        return policy.clinic.name


class VisitTypeForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        clinic_id = data["clinic"].pk if data.get("clinic") else self.instance.clinic_id
        if clinic_id and any(one.clinic_id != clinic_id for one in data.get("practitioners", ())):
            raise ValidationError({"practitioners": _("This clinician belongs to another clinic.")})
        return data


@admin.register(VisitType)
class VisitTypeAdmin(ClinicScopedAdmin):
    section = Section.SCHEDULE
    about = _("What can be booked: length, by whom, how far ahead.")
    step = Step(2, _("Say which visits can be booked"))
    form = VisitTypeForm
    deletable = False  # visits were booked as it; ``is_active`` takes it off the list
    list_display = ("name", "minutes", "mode", "booked_by", "is_active", "clinic")
    list_filter = ("is_active", "booked_by", "mode", "clinic")
    list_select_related = ("clinic",)
    search_fields = ("name",)
    actions = ("take_off", "put_on")
    fieldsets = (
        (None, {"fields": ("clinic", "name", "minutes", "mode", "colour", "is_active")}),
        (_("Time around it"), {"fields": ("buffer_before", "buffer_after")}),
        (_("Who books it"), {"fields": ("booked_by", "minimum_notice", "horizon_days", "practitioners")}),
    )

    @admin.action(description=_("Take off the list: not booked any more"), permissions=["change"])
    @confirmed
    def take_off(self, request: HttpRequest, chosen: QuerySet[VisitType]) -> None:
        count = self._list(request, chosen, False)
        words = ngettext("%(count)d visit type is off the list.", "%(count)d visit types are off the list.", count)
        messages.success(request, words % {"count": count})

    @admin.action(description=_("Put on the list again"), permissions=["change"])
    @confirmed
    def put_on(self, request: HttpRequest, chosen: QuerySet[VisitType]) -> None:
        count = self._list(request, chosen, True)
        words = ngettext("%(count)d visit type is on the list.", "%(count)d visit types are on the list.", count)
        messages.success(request, words % {"count": count})

    def _list(self, request: HttpRequest, chosen: QuerySet[VisitType], is_active: bool) -> int:
        """Have them booked or not; how many were not so before."""
        rows = list(chosen.exclude(is_active=is_active))
        for row in rows:
            row.is_active = is_active
            row.save(update_fields=["is_active"])
            detail = {"fields": ["is_active"], "is_active": is_active}
            self.audit(request, "admin.change", AuditEvent.Action.UPDATE, row, **detail)
        return len(rows)


class AvailabilityForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        practitioner = data.get("practitioner")
        if practitioner and any(one.clinic_id != practitioner.clinic_id for one in data.get("visit_types", ())):
            raise ValidationError({"visit_types": _("This visit type belongs to another clinic.")})
        return data


@admin.register(Availability)
class AvailabilityAdmin(UntilColumn, ClinicScopedAdmin):
    section = Section.SCHEDULE
    about = _("When each clinician sees patients, week after week.")
    form = AvailabilityForm
    clinic_path = "practitioner__clinic"
    list_display = ("practitioner", "weekday", "start_time", "until", "valid_from", "valid_until", "zone", "clinic")
    list_filter = ("weekday", "practitioner", "practitioner__clinic")
    list_select_related = ("practitioner__clinic",)
    search_fields = ("practitioner__name",)

    @admin.display(description=_("clinic"), ordering="practitioner__clinic__name")
    def clinic(self, hours: Availability) -> Clinic:
        return hours.practitioner.clinic

    @admin.display(description=_("time zone"), ordering="practitioner__clinic__time_zone")
    def zone(self, hours: Availability) -> str:
        return hours.practitioner.clinic.time_zone


class AvailabilityInline(ClinicScopedInline):
    """A clinician's week on the page of the clinician. For which visits they are is on their own page."""

    model = Availability
    clinic_path = "practitioner__clinic"
    fields = ("weekday", "start_time", "end_time", "valid_from", "valid_until")


PractitionerAdmin.inlines = (*PractitionerAdmin.inlines, AvailabilityInline)


@admin.register(OpeningHours)
class OpeningHoursAdmin(UntilColumn, ClinicScopedAdmin):
    section = Section.SCHEDULE
    about = _("When the clinic is open. Without any, clinicians' own hours count alone.")
    list_display = ("weekday", "start_time", "until", "zone", "clinic")
    list_filter = ("weekday", "clinic")
    list_select_related = ("clinic",)
    search_fields = ("clinic__name",)

    @admin.display(description=_("time zone"), ordering="clinic__time_zone")
    def zone(self, hours: OpeningHours) -> str:
        return hours.clinic.time_zone


@admin.register(ScheduleException)
class ScheduleExceptionAdmin(UntilColumn, ClinicScopedAdmin):
    section = Section.SCHEDULE
    about = _("Days off, closed days and extra hours.")
    list_display = ("whose", "kind", "first_day", "last_day", "start_time", "until", "note", "clinic")
    list_display_links = ("whose", "kind")
    list_filter = ("kind", "practitioner", "clinic", "first_day")
    list_select_related = ("practitioner", "clinic")
    search_fields = ("practitioner__name",)
    date_hierarchy = "first_day"
    ordering = ("-first_day", "start_time")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        said = {"start_time": _("Without times: whole days."), "note": _("Staff alone see it.")}
        return super().get_form(request, obj, change, **kwargs | {"help_texts": said})

    @admin.display(description=_("whose"), ordering="practitioner__name")
    def whose(self, exception: ScheduleException) -> str:
        return str(exception.practitioner or _("The whole clinic"))

    def get_urls(self) -> list[URLPattern]:
        copy = path("copy-week/", self.admin_site.admin_view(self.copy_week), name="schedule_scheduleexception_copy")
        return [copy, *super().get_urls()]

    def copy_week(self, request: HttpRequest) -> HttpResponse:
        """Ask which week of whose goes into which weeks; POST copies it."""
        principal = principal_of(request)
        if principal is None or not self.has_add_permission(request):
            raise PermissionDenied
        people = self.admin_site._registry[Practitioner].get_queryset(request).filter(clinic=principal.clinic)
        form = CopyWeekForm(request.POST or None, people=people)
        if form.is_valid():
            added = copy_week(
                principal=principal,
                practitioner=form.cleaned_data["practitioner"],
                from_monday=form.from_monday,
                to_mondays=form.to_mondays,
            )
            words = ngettext("%(count)d entry added.", "%(count)d entries added.", len(added))
            messages.success(request, words % {"count": len(added)})
            return redirect("admin:schedule_scheduleexception_changelist")
        context = {**self.admin_site.each_context(request), "title": _("Copy a week"), "form": form, "opts": self.opts}
        return render(request, "admin/schedule/scheduleexception/copy_week.html", context)
