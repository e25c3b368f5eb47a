"""Open sockets hear within seconds that their session has ended: one query a process for all of them.

Read from the database, again and again: what is told by messages can be lost.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import Session

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds

Hear = Callable[["datetime | Ended"], Awaitable[None]]


class Ended(StrEnum):
    """How a session ended; what a socket closes with as its reason."""

    TIMED_OUT = "timed-out"
    SIGNED_OUT = "signed-out"  # here or elsewhere, by the person, an admin, or a change of the account


class Watch:
    """The sessions behind the sockets of one event loop."""

    def __init__(self) -> None:
        self._ears: dict[uuid.UUID, set[Hear]] = {}
        self._told: dict[uuid.UUID, datetime | Ended] = {}
        self._task: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()  # asyncio keeps no hold of its tasks

    def follow(self, session_id: uuid.UUID, hear: Hear) -> None:
        """``hear`` is told when the session will end by itself, whenever that has changed, and at last how it ended."""
        self._ears.setdefault(session_id, set()).add(hear)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on())

    def leave(self, session_id: uuid.UUID, hear: Hear) -> None:
        """Harmless for who does not follow."""
        ears = self._ears.get(session_id, set())
        ears.discard(hear)
        if not ears:
            self._ears.pop(session_id, None)
            self._told.pop(session_id, None)

    async def _look_on(self) -> None:
        while self._ears:
            await asyncio.sleep(LOOK_EVERY)
            try:
                ends = await read_ends(list(self._ears))
            except DatabaseError:
                logger.exception("Sessions could not be looked at")
                continue
            now = timezone.now()
            for session_id, end in ends.items():
                word = _word_for(end, now)
                if session_id in self._ears and self._told.get(session_id) != word:
                    self._told[session_id] = word
                    self._tell(self._ears[session_id], word)

    def _tell(self, ears: set[Hear], word: "datetime | Ended") -> None:
        for hear in ears:  # each by itself: none waits for another's slow line
            telling = asyncio.create_task(_say(hear, word))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)


async def _say(hear: Hear, word: "datetime | Ended") -> None:
    try:
        await hear(word)
    except Exception:
        logger.exception("A socket did not hear of its session")


def _word_for(end: datetime | None, now: datetime) -> "datetime | Ended":
    if end is None:
        return Ended.SIGNED_OUT
    return end if end > now else Ended.TIMED_OUT


@database_sync_to_async
def read_ends(session_ids: list[uuid.UUID]) -> dict[uuid.UUID, datetime | None]:
    """When each ends by itself; None for one that is gone, or whose owner may not sign in any more."""
    rows = Session.objects.filter(pk__in=session_ids).exclude(user__is_active=False)
    return dict.fromkeys(session_ids) | dict(rows.values_list("pk", "expires_at"))


async def how_ended(session_id: uuid.UUID) -> Ended | None:
    """None for one that goes on."""
    word = _word_for((await read_ends([session_id]))[session_id], timezone.now())
    return word if isinstance(word, Ended) else None


_watches: "WeakKeyDictionary[asyncio.AbstractEventLoop, Watch]" = WeakKeyDictionary()


def watch() -> Watch:
    """The one that all sockets of this process share."""
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        _watches[loop] = Watch()
    return _watches[loop]
