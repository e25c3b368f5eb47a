"""Pages that stay in the call by themselves, as a browser's does: a tab joins, and joins again when it is told to."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.test import Client

from tests.headless import Participant
from tests.room.sockets import Page
from visits.relay.client import Joined, SlotMids

PAUSES = (0.0, 0.5, 1.0, 2.0)  # as session.js has them


class Tab:
    """One open room page with a headless browser's media."""

    def __init__(self, client: Client, path: str, name: str) -> None:
        self.name = name
        self._place = client, path
        self.page = Page(client, path, name=name)
        self.person: Participant | None = None  # the connection that carries the call
        self.epoch = 0
        self.joined = 0  # how often
        self.moved = 0
        self.errors: list[str] = []
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the page and wait until its media can flow."""
        await self.page.__aenter__()
        self._start(self._read())
        await self.join()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.person is not None:
            await self.person.close()
        await self.page.__aexit__()

    async def reopen(self) -> None:
        """Load the page again."""
        self.page, self.person = Page(*self._place, name=self.name), None
        await self.open()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        while (message := await self.page.next(within=600)) is not None:
            if message["type"] == "moved":
                self.moved += 1
                self._start(self.join())
            elif message.get("re") in self._answers:
                self._answers.pop(message["re"]).set_result(message)

    async def join(self) -> None:
        """Join with a new connection, however often it takes; the old one ends when the new one carries."""
        for attempt in range(20):
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            person = Participant(self.name, pace=0.1)
            answer = await self._ask(person)
            if answer["type"] == "error":
                self.errors.append(answer["code"])
                continue
            slots = [SlotMids(**slot) for slot in answer["slots"]]
            await person.connect(Joined(answer["sdp"], slots, answer["screen_mid"], {}, None))
            self.epoch = answer["epoch"]
            old, self.person = self.person, person
            self.joined += 1
            if old is not None:
                await old.close()
            return
        raise AssertionError(f"{self.name} did not come in: {self.errors}")

    async def _ask(self, person: Participant) -> dict[str, Any]:
        self.page.number += 1
        number = self.page.number
        self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"type": "join", "id": number, "sdp": person.offer(), "audio": True, "video": True, "e2ee": True}
        await self.page.send_text(json.dumps(message))
        return await self._answers[number]

    def sees_all(self) -> bool:
        """Whether the page was told last that everybody is here, and nobody away."""
        states = [message for message in self.page.heard if message["type"] == "state"]
        return all(person["here"] and not person["away"] for person in states[-1]["people"])

    def heard_since(self, moment: float) -> float | None:
        """When the first packet came of somebody else's, over the present connection and after ``moment``."""
        if self.person is None:
            return None
        firsts = [
            next((packet.at for packet in mid if packet.at > moment), None) for mid in self.person.by_mid.values()
        ]
        return min((at for at in firsts if at is not None), default=None)


async def all_hear(tabs: list[Tab], since: float, *, joined: int = 1, within: float = 60) -> list[float]:
    """Seconds from ``since`` until each tab heard another, over its connection of that number at least.

    AssertionError if one hears nobody.
    """
    deadline = time.monotonic() + within
    while None in (heard := [tab.heard_since(since) if tab.joined >= joined else None for tab in tabs]):
        silent = [(tab.name, tab.moved, tab.joined, tab.errors) for tab, at in zip(tabs, heard, strict=True) if not at]
        assert time.monotonic() < deadline, silent
        await asyncio.sleep(0.02)
    return sorted(at - since for at in heard if at is not None)


def shown(seconds: list[float]) -> str:
    """Measured times as p50, p95 and the longest."""
    ordered = sorted(seconds)
    p50, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95))
    return f"p50 {p50:.2f} s, p95 {p95:.2f} s, longest {ordered[-1]:.2f} s"


@contextmanager
def stopped(process: Any) -> Iterator[None]:
    """As if the process hung."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
