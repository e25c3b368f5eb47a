"""What a clinician writes for the patient after a visit."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SummaryConfig(AppConfig):
    name = "visits.summary"
    verbose_name = _("Summaries")
