"""Copies, retention, holds and erasure of patients' records."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RecordsConfig(AppConfig):
    name = "visits.records"
    verbose_name = _("Records")
