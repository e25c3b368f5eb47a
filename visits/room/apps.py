"""The call itself: Encounter, seats, presence, the room socket."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RoomConfig(AppConfig):
    name = "visits.room"
    verbose_name = _("Video visits")

    def ready(self) -> None:
        from visits.room import receivers  # noqa: F401 - connects itself
