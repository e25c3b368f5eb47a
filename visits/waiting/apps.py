"""The live queue: arrivals, the Today board, admission."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WaitingConfig(AppConfig):
    name = "visits.waiting"
    verbose_name = _("Waiting room")

    def ready(self) -> None:
        from visits.waiting import receivers  # noqa: F401 - connects itself
