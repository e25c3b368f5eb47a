"""The base of every socket: the rules of PROTOCOL.md that hold on all of them."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.http import Http404
from redis import RedisError

from accounts.principal import Principal
from accounts.scope import find_session_id, session_id_of
from accounts.sessions import services as sessions
from accounts.sessions.watch import Ended, how_ended, watch
from visits.live import tickets
from visits.live.messages import VERSION, Inbox, Message, Refused, Schema, is_too_large

logger = logging.getLogger(__name__)

NORMAL, GOING_AWAY, TOO_LARGE, BROKEN = 1000, 1001, 1009, 1011  # RFC 6455 section 7.4.1
NOT_ALLOWED, NOT_FOUND, SEAT_TAKEN, NO_TICKET, TOO_MANY_REFUSALS = 4401, 4404, 4409, 4428, 4429

LOOK_AGAIN_SECONDS = 5  # the channel layer may lose a nudge: read the state again by ourselves
CHECK_RIGHT_SECONDS = 15

Handler = Callable[[Message], Awaitable[None]]


class Closed(Exception):
    """Raised anywhere under ``LiveConsumer``: close this socket with ``code``, and ``reason`` for the page."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code, self.reason = code, reason
        super().__init__(code)


class LiveConsumer(AsyncConsumer):
    """One socket of one person.

    A subclass says who may come (``principal``), which visit or board it is about (``opened``,
    ``groups``), what is true now (``state``), and what a client may say (``messages``,
    ``handlers``). Whatever it raises decides: ``Refused`` answers the one message with an error,
    ``Closed`` and ``Http404`` (4404) close this socket; nobody else notices either.
    """

    messages: ClassVar[Schema] = {}
    # Fields of the state that change by themselves and are no reason to send it again.
    volatile: ClassVar[frozenset[str]] = frozenset()

    who: Principal
    session_id: UUID | None = None  # once it is known who this is
    heard_code: int | None = None  # what the browser closed with, when it was the browser

    def __init__(self) -> None:
        self._seq = 0
        self._open = self._was_opened = False
        self._told: dict[str, Any] = {}
        # The clock and the dispatcher both send: numbers, and what is read for a state, stay in order.
        self._sending, self._stating = asyncio.Lock(), asyncio.Lock()
        self._joined: list[str] = []
        self._inbox = Inbox({"ping": {}, "resync": {}, **self.messages})
        self._clock: asyncio.Task[None] | None = None

    # --- what a subclass says ---------------------------------------------------------------

    async def principal(self) -> Principal | None:
        """Who this is, read anew from the database; None when they may not (or no longer) be here."""
        raise NotImplementedError

    async def opened(self) -> None:
        """Called once, when ``who`` is known and before anything is sent."""

    def groups(self) -> list[str]:
        """The groups of ``visits.live.events`` whose nudges concern this socket."""
        return []

    async def greeting(self) -> dict[str, Any]:
        """What ``welcome`` tells besides the version."""
        return {}

    async def state(self) -> dict[str, Any]:
        """The whole truth for this person, read from the database now."""
        raise NotImplementedError

    def handlers(self) -> Mapping[str, Handler]:
        """What is done with each type of ``messages``."""
        return {}

    async def tick(self) -> None:
        """Called every ``LOOK_AGAIN_SECONDS`` while the socket is open."""

    async def hear_of_session(self, word: datetime | Ended) -> None:
        """When the session behind this socket ends by itself, or that it has ended: then the socket closes."""
        if isinstance(word, Ended):
            await self.close(NOT_ALLOWED, word)

    async def closed(self) -> None:
        """Called once when an opened socket has ended, whoever ended it."""

    # --- what a subclass may use ------------------------------------------------------------

    async def say(self, kind: str, **fields: Any) -> None:
        """Send one numbered message; silently nothing once the socket is closed."""
        async with self._sending:
            if not self._open:
                return
            self._seq += 1
            await self._send("websocket.send", text=json.dumps({"type": kind, "seq": self._seq, **fields}))

    async def send_state(self, *, only_news: bool = False) -> None:
        """Send the state; with ``only_news`` not when it is what the client was told last."""
        async with self._stating:
            state = await self.state()
            told = {name: value for name, value in state.items() if name not in self.volatile}
            if only_news and told == self._told:
                return
            self._told = told
            await self.say("state", **state)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the socket; harmless when it is closed."""
        async with self._sending:
            if self._open:
                self._open = False
                await self._send("websocket.close", code=code, reason=reason)

    async def keep_session(self) -> None:
        """That this socket is open shows that somebody is there: their session does not end for want of activity."""
        if self.session_id:
            await database_sync_to_async(sessions.note_activity_of)(self.session_id)

    async def _send(self, kind: str, **fields: Any) -> None:
        try:
            await self.send({"type": kind, **fields})
        except OSError:
            self._open = False  # the other side is gone, and its "disconnect" is on the way (ASGI 2.4)

    # --- the life of a socket ---------------------------------------------------------------

    async def websocket_connect(self, event: dict[str, Any]) -> None:
        # Accept first: only then does a browser learn the close code of a refusal.
        is_offered = tickets.SUBPROTOCOL in self.scope["subprotocols"]
        await self.send({"type": "websocket.accept", "subprotocol": tickets.SUBPROTOCOL if is_offered else None})
        self._open = True
        await self._guarded(self._begin)

    async def websocket_receive(self, event: dict[str, Any]) -> None:
        if self._open:
            await self._guarded(lambda: self._take(event))

    async def websocket_disconnect(self, event: dict[str, Any]) -> None:
        self._open = False
        self.heard_code = event.get("code")
        if self.session_id:
            watch().leave(self.session_id, self.hear_of_session)
        if self._clock:
            self._clock.cancel()
            with suppress(asyncio.CancelledError):
                await self._clock
        if self._was_opened:
            for group in self._joined:
                await self.channel_layer.group_discard(group, self.channel_name)
            await self.closed()
        raise StopConsumer

    async def board_changed(self, event: dict[str, Any]) -> None:
        """A nudge of ``visits.live.events``."""
        await self._guarded(lambda: self.send_state(only_news=True))

    async def line_changed(self, event: dict[str, Any]) -> None:
        """A nudge of ``visits.live.events``."""
        await self._guarded(lambda: self.send_state(only_news=True))

    async def visit_changed(self, event: dict[str, Any]) -> None:
        """A nudge of ``visits.live.events``."""
        await self._guarded(lambda: self.send_state(only_news=True))

    async def rights_changed(self, event: dict[str, Any]) -> None:
        """A nudge of ``visits.live.events``."""
        await self._guarded(self._check_right)

    async def seat_taken(self, event: dict[str, Any]) -> None:
        """A nudge of ``visits.live.events``; only the room has seats."""

    async def relay_left(self, event: dict[str, Any]) -> None:
        """A nudge of ``visits.live.events``; only the room has a relay."""

    async def e2ee_passed(self, event: dict[str, Any]) -> None:
        """What one browser says to another, by ``visits.live.events``; only the room hears it."""

    async def _begin(self) -> None:
        await self._redeem_ticket()
        who = await self.principal()
        if who is None:
            raise Closed(NOT_ALLOWED)
        self.who = who
        self.session_id = session_id_of(self.scope)
        watch().follow(self.session_id, self.hear_of_session)
        await self.opened()
        self._was_opened = True
        for group in self.groups():
            await self.channel_layer.group_add(group, self.channel_name)
            self._joined.append(group)
        await self.say("welcome", version=VERSION, **await self.greeting())
        await self.send_state()
        self._clock = asyncio.create_task(self._keep_looking())

    async def _redeem_ticket(self) -> None:
        session_id = await find_session_id(self.scope)
        if session_id is None:
            raise Closed(NOT_ALLOWED)
        if not self.scope["subprotocols"]:
            # A page of before there were tickets: it loads itself anew, or, where it does not listen, seldom tries.
            await self.say("welcome", version=VERSION)
            raise Closed(TOO_MANY_REFUSALS)
        try:
            is_good = await database_sync_to_async(tickets.redeem)(
                self.scope["subprotocols"], session_id=session_id, path=self.scope["path"]
            )
        except RedisError:
            raise Closed(BROKEN) from None
        if not is_good:
            raise Closed(NO_TICKET)

    async def _take(self, event: dict[str, Any]) -> None:
        frame = event.get("text")
        if is_too_large(event.get("bytes") or b"" if frame is None else frame):
            raise Closed(TOO_LARGE)
        try:
            if frame is None:
                raise Refused("malformed")
            message = self._inbox.take(frame)
            try:
                await self._handle(message)
            except Refused as refusal:
                refusal.re = message.id
                raise
        except Refused as refusal:
            await self.say("error", re=refusal.re, code=refusal.code, message=refusal.message)
            if not self._inbox.forgive():
                raise Closed(TOO_MANY_REFUSALS) from None

    async def _handle(self, message: Message) -> None:
        if message.type == "ping":
            await self.say("pong", re=message.id)
        elif message.type == "resync":
            await self.send_state()
        else:
            await self.handlers()[message.type](message)

    async def _keep_looking(self) -> None:
        try:
            await self._guarded(self._look_again)
        except Exception:
            logger.exception("A socket's clock broke")
            await self.close(BROKEN)

    async def _look_again(self) -> None:
        since_check = 0
        while self._open:  # not True: asgiref may swallow the cancellation
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            since_check += LOOK_AGAIN_SECONDS
            if since_check >= CHECK_RIGHT_SECONDS:
                since_check = 0
                await self._check_right()
            await self.tick()
            await self.send_state(only_news=True)

    async def _check_right(self) -> None:
        now = await self.principal()
        if now is None and self.session_id and (ended := await how_ended(self.session_id)):
            raise Closed(NOT_ALLOWED, ended)  # the watch has not looked since
        if now is None or (now.key, now.role, now.clinic.pk) != (self.who.key, self.who.role, self.who.clinic.pk):
            raise Closed(NOT_ALLOWED)
        self.who = now

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Closed as end:
            await self.close(end.code, end.reason)
        except Http404:
            await self.close(NOT_FOUND)
