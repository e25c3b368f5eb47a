"""Relay nodes that die, hang, drain and come back, with real processes, sockets and headless browsers.

No test asserts seconds: run with ``-s`` to see how long it took.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest
from channels.db import database_sync_to_async

from accounts.models import Clinic, Practitioner, User
from tests import factories
from tests.party import browser, make_link
from tests.room.conftest import admit
from tests.room.tabs import Tab, all_hear, shown, stopped
from visits.relay.client import RelayClient
from visits.room import nodes
from visits.room.models import Encounter, Presence, RelayNode

pytestmark = pytest.mark.django_db(transaction=True)

on_database = database_sync_to_async


def say(words: str) -> None:
    sys.stdout.write(f"\n{words}\n")


@pytest.fixture
async def visits(clinic: Clinic, practitioner: Practitioner, clinician: User) -> AsyncIterator[Callable[..., Any]]:
    """``await visits(20)``: as many calls, each of a patient and a guest; their tabs."""
    opened: list[Tab] = []

    def make(number: int) -> list[Tab]:
        visit = factories.make_visit(practitioner, patient=factories.make_patient(clinic))
        admit(visit, clinician)
        Encounter.objects.create(appointment=visit, started_at=visit.created_at, encryption="off")
        path = f"/ws/my/{visit.pk}/room/"
        links = {"patient": make_link(visit), "guest": make_link(visit, guest="Ana Ruiz")}
        return [Tab(browser(link), path, f"{who} {number}") for who, link in links.items()]

    async def make_all(count: int) -> list[Tab]:
        made = [tab for number in range(count) for tab in await on_database(make)(number)]
        opened.extend(made)
        began = time.monotonic()
        for _ in range(0, len(made), 8):
            await asyncio.gather(*(tab.open() for tab in made[_ : _ + 8]))
        await all_hear(made, began)
        return made

    yield make_all
    await asyncio.gather(*(tab.close() for tab in opened))


async def live(client: RelayClient, *known: str) -> str:
    """The one live node besides these."""
    [found] = [node for node, pulse in (await client.pulses()).items() if not pulse.is_dead and node not in known]
    return found


def where() -> set[str | None]:
    """The nodes that have rooms."""
    return {nodes.node_of(pk) for pk in Encounter.objects.values_list("pk", flat=True)}


def stays() -> list[tuple[int, int]]:
    """For each seat: how many presences it had, how many are open. AssertionError if two of a seat overlap."""
    seats: dict[Any, list[Presence]] = {}
    for one in Presence.objects.order_by("joined_at"):
        seats.setdefault(one.seat_id, []).append(one)
    for ordered in seats.values():
        for earlier, later in pairwise(ordered):
            assert earlier.left_at is not None
            assert earlier.left_at <= later.joined_at
            assert earlier.epoch < later.epoch
    return [(len(ordered), sum(one.left_at is None for one in ordered)) for ordered in seats.values()]


async def settled(true: Callable[[], bool]) -> None:
    """Wait for something in the database."""
    async with asyncio.timeout(30):
        while not await on_database(true)():
            await asyncio.sleep(0.1)


async def carries(client: RelayClient, node: str, *, rooms: int, peers: int) -> None:
    """Wait until the node has just these."""
    async with asyncio.timeout(30):
        while True:
            pulse = (await client.pulses()).get(node)
            if pulse and not pulse.is_dead and (pulse.rooms, pulse.peers) == (rooms, peers):
                return
            await asyncio.sleep(0.1)


async def test_joining(start: Any, client: RelayClient, visits: Any) -> None:
    start()
    tabs = await visits(1)
    took = []
    for tab in tabs * 8:
        await tab.close()
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await tab.reopen()
        took.append((await all_hear(tabs, began))[-1])

    say(f"from opening the socket to media both ways: {shown(took)}")


async def test_all_visits_of_a_killed_node_go_on_at_another(start: Any, client: RelayClient, visits: Any) -> None:
    count = int(os.environ.get("TELEHEALTH_TEST_VISITS", "20"))
    doomed = start()
    first = await live(client)
    tabs = await visits(count)
    assert await on_database(where)() == {first}
    start()
    second = await live(client, first)
    await settled(lambda: RelayNode.objects.filter(pk=second, state="active").exists())

    doomed.kill()
    began = time.monotonic()
    took = await all_hear(tabs, began, joined=2)

    say(f"{count} visits, SIGKILL of their node, media back both ways: {shown(took)}")
    assert await on_database(where)() == {second}
    await carries(client, second, rooms=count, peers=2 * count)
    assert [(tab.moved, tab.joined) for tab in tabs] == [(1, 2)] * len(tabs)
    await settled(lambda: stays() == [(2, 1)] * 2 * count)
    await settled(lambda: all(tab.sees_all() for tab in tabs))


async def test_a_node_that_hangs_loses_its_visits_and_may_come_back(
    start: Any, client: RelayClient, visits: Any
) -> None:
    slow = start()
    first = await live(client)
    tabs = await visits(2)
    start()
    second = await live(client, first)

    with stopped(slow):
        took = await all_hear(tabs, time.monotonic(), joined=2)
        say(f"node hangs, media back: {shown(took)}")
        assert await on_database(where)() == {second}

    await carries(client, first, rooms=0, peers=0)
    await settled(lambda: RelayNode.objects.get(pk=first).state == RelayNode.State.ACTIVE)
    await all_hear(tabs, time.monotonic())
    assert [(tab.moved, tab.joined) for tab in tabs] == [(1, 2)] * len(tabs)
    assert await on_database(where)() == {second}
    await settled(lambda: stays() == [(2, 1)] * 4)


async def test_without_another_node_they_wait_for_one(start: Any, client: RelayClient, visits: Any) -> None:
    only = start()
    tabs = await visits(1)

    only.kill()
    began = time.monotonic()
    async with asyncio.timeout(30):
        while not all(tab.errors for tab in tabs):
            await asyncio.sleep(0.05)
    start()
    await all_hear(tabs, began, joined=2)

    assert {code for tab in tabs for code in tab.errors} == {"relay-unavailable"}
    await settled(lambda: stays() == [(2, 1)] * 2)


async def test_drained_rooms_move_before_the_old_connection_ends(start: Any, client: RelayClient, visits: Any) -> None:
    start()
    first = await live(client)
    tabs = await visits(2)
    start()
    second = await live(client, first)
    await settled(lambda: RelayNode.objects.filter(pk=second, state="active").exists())

    def move() -> tuple[int, int]:
        node = RelayNode.objects.get(pk=first)
        nodes.drain(node)
        return nodes.move_rooms(node)

    before = [tab.person for tab in tabs]
    assert await on_database(move)() == (2, 0)
    await all_hear(tabs, time.monotonic(), joined=2)

    await carries(client, second, rooms=2, peers=4)
    await carries(client, first, rooms=0, peers=0)
    assert all(tab.person is not old for tab, old in zip(tabs, before, strict=True))
    assert [(tab.moved, tab.joined) for tab in tabs] == [(1, 2)] * len(tabs)
    await settled(lambda: stays() == [(2, 1)] * 4)


async def test_an_emptied_redis_moves_nobody(start: Any, client: RelayClient, visits: Any) -> None:
    start()
    start()
    tabs = await visits(2)
    before = await on_database(where)()

    await client._redis.flushall()
    await asyncio.sleep(3)
    await all_hear(tabs, time.monotonic())

    assert await on_database(where)() == before
    assert [(tab.moved, tab.joined) for tab in tabs] == [(0, 1)] * len(tabs)
    tabs += await visits(1)
    await all_hear(tabs, time.monotonic())
