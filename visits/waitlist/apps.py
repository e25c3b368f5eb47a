"""The waitlist: patients who want to come earlier, and free times that are offered to them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WaitlistConfig(AppConfig):
    name = "visits.waitlist"
    verbose_name = _("Waitlist")

    def ready(self) -> None:
        from visits.waitlist import receivers  # noqa: F401 - connects itself
