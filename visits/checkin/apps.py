"""What a patient does before waiting: details, consent, device check."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CheckinConfig(AppConfig):
    name = "visits.checkin"
    verbose_name = _("Check-in")
