"""What a patient does before waiting: details, consent, device check."""

from django.apps import AppConfig


class CheckinConfig(AppConfig):
    name = "visits.checkin"
    verbose_name = "Check-in"
