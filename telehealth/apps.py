"""What holds for the installation as a whole."""

from django.apps import AppConfig


class TelehealthConfig(AppConfig):
    name = "telehealth"

    def ready(self) -> None:
        from telehealth import checks  # noqa: F401 - registers itself
