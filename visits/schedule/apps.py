"""When clinicians see patients: visit types, weekly hours, free slots."""

from django.apps import AppConfig


class ScheduleConfig(AppConfig):
    name = "visits.schedule"
    verbose_name = "Schedule"
