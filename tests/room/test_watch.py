"""Who is dead: a node, and never one that lives, whatever becomes of Redis."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from django.db import OperationalError

from telehealth.embedded import start_valkey, stop
from tests.relay.conftest import SECRET, NodeProcess, start_node
from tests.room.tabs import stopped
from visits.relay.client import RelayClient, RelayUnavailable
from visits.room import nodes, watch
from visits.room.watch import Watch, listen


class Redis:
    """A Valkey of this test's own, to restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process, self.url = start_valkey(folder)

    def restart(self) -> None:
        stop(self.process)
        self.process, _ = start_valkey(self.folder)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="th-") as folder:
        redis = Redis(Path(folder))
        yield redis
        stop(redis.process)


@pytest.fixture
def node(redis: Redis) -> Iterator[NodeProcess]:
    node = start_node(redis.url)
    yield node
    node.kill()


@pytest.fixture
async def client(redis: Redis) -> AsyncIterator[RelayClient]:
    client = RelayClient(redis.url, SECRET, timeout=20)
    yield client
    await client.aclose()


async def deaths(client: RelayClient) -> set[str]:
    while True:
        try:
            return (await listen(client, known_dead=set()))[1]
        except RelayUnavailable:
            await asyncio.sleep(0.1)


async def test_a_killed_node_is_dead(node: NodeProcess, client: RelayClient) -> None:
    assert await deaths(client) == set()
    node.kill()
    async with asyncio.timeout(20):
        while await deaths(client) != {node.node}:
            await asyncio.sleep(0.1)


async def test_one_that_said_goodbye_needs_no_waiting(node: NodeProcess, client: RelayClient) -> None:
    assert node.terminate() == 0

    pulses, dead = await listen(client, known_dead=set())

    assert dead == set()
    assert pulses[node.node].gone


async def test_a_redis_that_hung_kills_nobody(node: NodeProcess, redis: Redis, client: RelayClient) -> None:
    waiting = asyncio.create_task(deaths(client))
    with stopped(redis.process):
        await asyncio.sleep(3)

    for _ in range(10):
        assert await deaths(client) == set()
        await asyncio.sleep(0.05)
    assert await waiting == set()


async def test_nor_does_one_that_started_anew(node: NodeProcess, redis: Redis, client: RelayClient) -> None:
    redis.restart()

    for _ in range(10):
        assert await deaths(client) == set()
        await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        while node.node not in await client.pulses():
            await asyncio.sleep(0.05)


@pytest.mark.django_db(transaction=True)  # the watch's thread may still hold a connection, and looks after it
async def test_a_database_that_is_away_does_not_end_the_watch(
    node: NodeProcess, client: RelayClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = asyncio.Event()
    tries = iter([OperationalError("away"), None])

    def note(pulses: object, *, dead: object) -> None:
        if error := next(tries, None):
            raise error
        loop.call_soon_threadsafe(noted.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(nodes, "note", note)
    monkeypatch.setattr(watch, "CERTAIN_AFTER", 0.01)
    keeper = Watch(client)
    keeper.begin()
    try:
        async with asyncio.timeout(10):
            await noted.wait()
    finally:
        keeper.end()
        assert keeper._task
        await keeper._task  # before the database is the real one again
