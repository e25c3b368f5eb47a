"""The calendar of clinicians and clinic: day, week, month, print, feed; moving visits, time off."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CalendarConfig(AppConfig):
    name = "visits.calendar"
    verbose_name = _("Calendar")
