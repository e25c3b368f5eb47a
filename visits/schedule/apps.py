"""When clinicians see patients: visit types, weekly hours, free slots."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ScheduleConfig(AppConfig):
    name = "visits.schedule"
    verbose_name = _("Schedule")
