"""A relay in this process (engine and UDP port, no Redis), and relay nodes as processes of their own."""

import asyncio
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from telehealth.embedded import end_with_parent
from tests.headless import Participant, eventually
from visits.relay.client import Joined, RelayClient, RoomEvent
from visits.relay.config import PATHS, Limits
from visits.relay.counters import Counters
from visits.relay.engine import Engine
from visits.relay.paths import make_port
from visits.relay.udp import bind

ROOT = Path(__file__).parents[2]
SECRET = secrets.token_urlsafe(32)
QUICK = Limits(away_after=0.6, gone_after=1.4, connect_within=1.0)


class Relay:
    """Engine and port on the loopback interface."""

    def __init__(self, limits: Limits, path: str) -> None:
        self.events: list[tuple[str, RoomEvent]] = []
        self.people: list[Participant] = []
        counters = Counters()
        sock = bind("127.0.0.1", 0)
        self.address = sock.getsockname()
        self.port = make_port(sock, limits, counters, path)
        self.engine = Engine(limits, self.port.send, lambda room, event: self.events.append((room, event)), counters)
        self.port.open(self.engine.ingress)
        self._clock = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self.engine.tick(time.monotonic())

    def stop_clock(self) -> None:
        """Nothing more is done by the clock."""
        self._clock.cancel()

    def admit(self, person: Participant, room: str = "room", epoch: int = 1) -> Joined:
        """Answer the person's offer."""
        self.people.append(person)
        joined = self.engine.join(room, person.name, epoch, person.offer(), self.address)
        self.events.append((room, RoomEvent("view", person.name, epoch, joined.view, joined.screen)))
        return joined

    async def enter(self, *people: Participant, room: str = "room", epoch: int = 1) -> None:
        """Admit and connect, until the relay knows too: the last word of the handshake is its own to hear."""
        for person in people:
            await person.connect(self.admit(person, room, epoch))
            copy = self.engine.halls[room].copies[person.name]
            await eventually(lambda copy=copy: copy.connected)

    def kinds(self, peer: str) -> list[str]:
        """The events of one peer, in order."""
        return [event.kind for _, event in self.events if event.peer == peer and event.kind != "view"]

    def view(self, peer: str) -> RoomEvent:
        """The last view that the peer was told, in the answer or since."""
        return next(event for _, event in reversed(self.events) if event.peer == peer and event.kind == "view")

    async def close(self) -> None:
        for person in self.people:
            await person.close(goodbye=False)
        self._clock.cancel()
        await self.engine.close()
        self.port.close()


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    """Which way packets take through the relay: what is tested holds on both."""
    return request.param


@pytest.fixture
async def relay(path: str) -> AsyncIterator[Relay]:
    relay = Relay(Limits(), path)
    yield relay
    await relay.close()


@pytest.fixture
async def quick_relay(path: str) -> AsyncIterator[Relay]:
    """A relay that gives up on people soon."""
    relay = Relay(QUICK, path)
    yield relay
    await relay.close()


@dataclass
class NodeProcess:
    """A ``python -m visits.relay``."""

    process: subprocess.Popen[str]
    node: str
    host: str
    port: int

    def terminate(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def relay_environment(redis_url: str, **settings: str) -> dict[str, str]:
    """The environment of a relay node on any free port; `settings` without their prefix."""
    own = {"SECRET": SECRET, "PORT": "0", **settings}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TELEHEALTH_")}
    return {**clean, "TELEHEALTH_REDIS_URL": redis_url} | {f"TELEHEALTH_RELAY_{name}": own[name] for name in own}


def start_node(redis_url: str, **settings: str) -> NodeProcess:
    """Start a node and wait for its line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "visits.relay"], cwd=ROOT, env=relay_environment(redis_url, **settings),
        stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    line = process.stdout.readline()
    match = re.fullmatch(r"relay (\S+) on ([\d.]+):(\d+)\n", line)
    assert match, line
    return NodeProcess(process, match[1], match[2], int(match[3]))


@pytest.fixture
def redis_url() -> str:
    """A Redis database of the relay tests' own."""
    return os.environ["TELEHEALTH_REDIS_URL"] + "?db=7"


@pytest.fixture
def nodes(redis_url: str) -> Iterator[Callable[..., NodeProcess]]:
    """``nodes(**settings)`` starts a node; all end with the test."""
    running: list[NodeProcess] = []

    def start(**settings: str) -> NodeProcess:
        running.append(start_node(redis_url, **settings))
        return running[-1]

    yield start
    for node in running:
        if node.process.poll() is None:
            node.terminate()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[RelayClient]:
    client = RelayClient(redis_url, SECRET)
    yield client
    await client._redis.flushdb()
    await client.aclose()


@pytest.fixture
async def people() -> AsyncIterator[Callable[..., Participant]]:
    """``people(name)``: a participant whose page closes with the test."""
    made: list[Participant] = []

    def make(name: str, **settings: float) -> Participant:
        made.append(Participant(name, **settings))
        return made[-1]

    yield make
    for person in made:
        await person.close(goodbye=False)
