"""Appointments: booking, cancelling, and the one door to a visit."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BookingConfig(AppConfig):
    name = "visits.booking"
    verbose_name = _("Visits")

    def ready(self) -> None:
        from visits.booking import receivers  # noqa: F401 - connects itself
