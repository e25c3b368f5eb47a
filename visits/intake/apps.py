"""Questions that a clinic asks before a visit, and what patients answer."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntakeConfig(AppConfig):
    name = "visits.intake"
    verbose_name = _("Intake")
