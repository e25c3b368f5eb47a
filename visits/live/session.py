"""/ws/session/: when one's own session ends, on every page of who is signed in (PROTOCOL.md)."""

from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

from channels.db import database_sync_to_async
from django.utils import timezone

from accounts.models import Session
from accounts.principal import Principal
from accounts.scope import signed_in_of
from accounts.sessions.limits import limit_of
from accounts.sessions.watch import Ended
from visits.live.consumer import LiveConsumer


class SessionConsumer(LiveConsumer):
    volatile: ClassVar[frozenset[str]] = frozenset({"left"})

    _ends_at: datetime
    _last_end: datetime  # by the absolute limit

    async def principal(self) -> Principal | None:
        who: Principal | None = await signed_in_of(self.scope)
        return who

    @database_sync_to_async
    def opened(self) -> None:
        session = Session.objects.select_related("user").get(pk=cast(UUID, self.session_id))
        self._ends_at = session.expires_at
        self._last_end = session.began_at + limit_of(session.user).absolute

    async def state(self) -> dict[str, Any]:
        left = (self._ends_at - timezone.now()).total_seconds()
        return {"left": max(0, round(left)), "final": self._ends_at >= self._last_end}

    async def hear_of_session(self, word: datetime | Ended) -> None:
        await super().hear_of_session(word)
        if isinstance(word, datetime):
            self._ends_at = word
            await self.send_state()

    async def _check_right(self) -> None:
        """Nothing is told here that a right is needed for, and the end of the session is heard by itself."""
