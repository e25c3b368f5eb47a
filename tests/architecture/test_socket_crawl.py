"""Every message of every socket, said by every kind of caller, held against ``expectations.py``.

A new socket goes into ``SOCKETS`` there, a new type of message into ``MESSAGES``; both into PROTOCOL.md.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.apps import apps
from django.core.cache import cache
from django.db import connection

from tests.architecture.addresses import EXAMPLE
from tests.architecture.expectations import ACCOUNT, MESSAGES, SOCKETS
from tests.architecture.test_crawl import INSIDE, leaks
from tests.architecture.world import CALLERS, World
from tests.live.sockets import Socket
from visits.live.consumer import NOT_ALLOWED, NOT_FOUND, LiveConsumer

pytestmark = pytest.mark.django_db(transaction=True)

PROTOCOL = Path(__file__).resolve().parents[2] / "visits/live/PROTOCOL.md"
# Written whoever looks, and by who is here.
ALWAYS = {"accounts_auditevent", "accounts_unsealedevent", "django_session", "waiting_ticket"}


def sockets() -> dict[str, type[LiveConsumer]]:
    """By path, as the application routes them."""
    from telehealth.asgi import application

    inner: Any = application.application_mapping["websocket"]
    while not isinstance(inner, URLRouter):
        inner = getattr(inner, "application", None) or inner.inner
    return {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(route.pattern)): route.callback.consumer_class
        for route in inner.routes
        if str(route.pattern)
    }


def types_of(consumer: type[LiveConsumer]) -> list[str]:
    """All that the socket takes, in the order of the table."""
    return [kind for kind in MESSAGES if kind in {"ping", "resync", *consumer.messages}]


def test_every_socket_and_message_has_an_expectation() -> None:
    taken = {kind for consumer in sockets().values() for kind in ("ping", "resync", *consumer.messages)}
    asked = re.findall(r"\| → server \|.*?\n\n", PROTOCOL.read_text(), re.DOTALL)
    told = {kind for table in asked for kind in re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)}

    assert set(sockets()) == set(SOCKETS)
    assert taken == set(MESSAGES)
    assert told == taken, "PROTOCOL.md tells of others"


async def test_each_message_of_each_caller_is_answered_as_it_should_be() -> None:
    """Rows 7 and 16 of the checklist: second factors, others' things."""
    world = await database_sync_to_async(World)()
    found: list[str] = []
    # Those who may change something come last, the clinician after all: they end the visit.
    for who in sorted(CALLERS, key=["guest", "patient", "clinician"].count):
        talk = Conversation(world, who, await database_sync_to_async(world.caller)(who))
        for path, consumer in sockets().items():
            await talk.hold(path, types_of(consumer))
        found += talk.found

    assert not found, "\n".join(found)


class Conversation:
    """What one caller says on each socket; ``found`` is what was not answered as it should be."""

    def __init__(self, world: World, who: str, client: Any) -> None:
        self.world, self.who, self.client = world, who, client
        self.role = INSIDE.get(who, "")
        self.own = world.theirs if who.startswith("strange") else world.ours
        self.found: list[str] = []

    async def hold(self, path: str, kinds: list[str]) -> None:
        """Say all of ``kinds`` where the caller may, and try to where not."""
        is_in = self.role in SOCKETS[path]
        ours, nothing = f"/{path.format(visit=self.world.ours.here.pk)}", f"/{path.format(visit=EXAMPLE)}"
        if is_in and (self.own is self.world.ours or ours == nothing):
            await self._talk(ours, kinds)
        else:
            await self._is_refused(ours, is_in=is_in)
        if ours != nothing:
            await self._is_refused(nothing, is_in=is_in)

    async def _is_refused(self, path: str, *, is_in: bool) -> None:
        before = await database_sync_to_async(everything)()
        async with Socket(self.client, path) as socket:
            heard = [await socket.next()]
            await socket.send("end")
        # The right of who came by a link is the link to this visit: without it there is no saying whether it is there.
        is_signed_in = path.startswith("/ws/visits/") or self.role in ACCOUNT
        closes = NOT_FOUND if is_in and is_signed_in else NOT_ALLOWED
        self._found_if(heard != [{"type": "closed"}] or socket.code != closes, f"{path}: {heard} {socket.code}")
        self._found_if(await database_sync_to_async(everything)() != before, f"{path}: changed something")

    async def _talk(self, path: str, kinds: list[str]) -> None:
        async with Socket(self.client, path) as socket:
            self._look(path, await socket.next())
            self._look(path, await socket.next())
            await self._say(socket, path, "nonsense", {}, "unknown-type")
            for kind in sorted(kinds, key=self._changes):
                await self._say(socket, path, kind, MESSAGES[kind].fields, self._expected(kind))
            if "leave" in kinds and socket.code is None:  # so that nothing is left to happen later
                await socket.send("leave")
                await socket.until_closed()

    def _expected(self, kind: str) -> str:
        return MESSAGES[kind].but.get(self.role, MESSAGES[kind].heard)

    def _changes(self, kind: str) -> bool:
        return self._expected(kind) in {"state", "relay-unavailable"} and kind != "resync"

    async def _say(self, socket: Socket, path: str, kind: str, fields: dict[str, Any], expected: str) -> None:
        cache.clear()
        before = await database_sync_to_async(everything)()
        await socket.send(kind, **fields)
        while (heard := await socket.next())["type"] not in {expected, "error", "closed"}:
            self._look(path, heard)  # news of others
        self._look(path, heard)
        answer = heard.get("code", heard["type"])
        self._found_if(answer != expected, f"{path}: {kind} is answered {heard}, not {expected}")
        if kind not in MESSAGES or not self._changes(kind):
            self._found_if(await database_sync_to_async(everything)() != before, f"{path}: {kind} changed something")

    def _look(self, path: str, heard: dict[str, Any]) -> None:
        self.found += leaks(self.who, path, str(heard))

    def _found_if(self, is_wrong: bool, words: str) -> None:
        if is_wrong:
            self.found.append(f"{self.who}: {words}")


def everything() -> dict[str, list[Any]]:
    """All rows of all tables, but for those that are always written."""
    rows = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if (table := model._meta.db_table) not in ALWAYS:
                cursor.execute(f'SELECT * FROM "{table}"')
                rows[table] = sorted(map(repr, cursor.fetchall()))
    return rows
