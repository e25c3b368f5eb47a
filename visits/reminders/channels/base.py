"""What a channel is: it takes a message to a provider, and says what became of it."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from visits.reminders.models import Communication


class Channel(Protocol):
    @property
    def is_idempotent(self) -> bool:
        """Whether the provider takes the same message (by its id) once, however often it is handed over."""
        ...

    def send(self, message: Communication, *, now: datetime, handing_over: Callable[[], None]) -> str:
        """Hand the message to the provider; return the provider's id for it, or an empty text.

        ``handing_over`` is called just before the provider can have it, and stops the sending by raising. Raises
        RefusedForGood, RefusedForNow or Unreachable when the provider surely does not have it, Unsure when it may.
        """
        ...


class RefusedForGood(Exception):
    """The provider will never take this message; ``is_address``: since nobody is at that address."""

    def __init__(self, *, is_address: bool = False) -> None:
        super().__init__(is_address)
        self.is_address = is_address


class OptedOut(RefusedForGood):
    """The provider knows that this person wants nothing from us."""


class RefusedForNow(Exception):
    """The provider asks us to come back later with this message."""


class Unreachable(Exception):
    """The provider did not answer, or has no time for anybody; it does not have the message."""


class Unsure(Exception):
    """The provider may have the message: its answer never came."""
