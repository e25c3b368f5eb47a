"""The admin of calendar feeds: whose programs read visits, each to be ended, for when an address went astray."""

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_actions import confirmed
from accounts.admin_base import ClinicScopedAdmin, HappenedFilter, principal_of
from accounts.admin_sections import Section
from accounts.models import User
from visits.calendar import feed as feeds
from visits.calendar.models import CalendarFeed


@admin.register(CalendarFeed)
class CalendarFeedAdmin(ClinicScopedAdmin):
    section = Section.SAFETY
    about = _("The secret addresses at which calendar programs read visits, to look at and to end.")
    read_only = True
    patient_path = "patient"
    list_display = ("person", "created_at", "revoked_at", "clinic")
    list_filter = ("clinic", "created_at", ("revoked_at", HappenedFilter))
    search_fields = ("user__name", "patient__family_name", "patient__given_name")
    list_select_related = ("user", "patient", "clinic")
    date_hierarchy = "created_at"
    fields = ("person", "clinic", "created_at", "revoked_at")
    readonly_fields = ("person",)
    actions = ("end",)

    @admin.display(description=_("for"))
    def person(self, feed: CalendarFeed) -> str:
        return feed.patient.full_name if feed.patient else str(feed.user)

    @admin.action(description=_("End: the addresses show nothing any more"), permissions=["view"])
    @confirmed
    def end(self, request: HttpRequest, queryset: QuerySet[CalendarFeed]) -> None:
        principal, user = principal_of(request), cast(User, request.user)
        count = sum(feeds.revoke_for(principal=principal, user=user, feed=feed) for feed in queryset)
        words = ngettext("%(count)d calendar address ended.", "%(count)d calendar addresses ended.", count)
        messages.success(request, words % {"count": count})
