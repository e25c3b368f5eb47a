"""The live queue: arrivals, the Today board, admission."""

from django.apps import AppConfig


class WaitingConfig(AppConfig):
    name = "visits.waiting"
    verbose_name = "Waiting room"

    def ready(self) -> None:
        from visits.waiting import receivers  # noqa: F401 - connects itself
