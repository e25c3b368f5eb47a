"""Counts of what the relay did and refused, by cause; refusals are logged, but rarely.

A log line names a cause and opaque ids, never an address, an SDP or a token.
"""

from __future__ import annotations

import logging
import time
from collections import Counter

LOG_PAUSE = 10.0  # seconds between two lines of one cause

logger = logging.getLogger("visits.relay")


class Counters(Counter[str]):
    """Events and refusals by name."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()  # the names that are causes of refusal
        self._logged: dict[str, float] = {}

    def note(self, name: str) -> None:
        """Count something ordinary."""
        self[name] += 1

    def fail(self, where: str, error: Exception, who: str = "-") -> None:
        """Count a mistake of ours that was contained, and log its kind and place, not its words:
        those may hold input.
        """
        self.refuse(f"error_{where}_{type(error).__name__}", who)
        logger.debug("contained", exc_info=error)

    def refuse(self, cause: str, who: str = "-") -> None:
        """Count something refused; `cause` is one of our own words, never input."""
        self[cause] += 1
        self.refused.add(cause)
        now = time.monotonic()
        if now - self._logged.get(cause, float("-inf")) >= LOG_PAUSE:
            self._logged[cause] = now
            logger.info("refused %s peer=%s total=%d", cause, who, self[cause])
