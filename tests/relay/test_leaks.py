"""A thousand people come and go, and the relay is as it was: memory, descriptors, tasks, threads.

Run with ``-s`` to see the figures. No test asserts seconds.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import quantiles

from tests.headless import Participant, eventually
from tests.relay.conftest import NodeProcess
from tests.relay.offers import CHROMIUM, full_offer
from visits.relay.client import RelayClient
from visits.relay.commands import REMEMBERED

CHEAP = int(os.environ.get("TELEHEALTH_TEST_JOINS", "1000"))  # joins and leaves whose media never connect
WHOLE = 60  # that do
AT_ONCE = 20
LOOPS = 5  # of a node with Redis: one more connection whenever two of them talk for the first time at once
PULSES = 4  # looked at for tasks
SLACK = 6 * 1024 * 1024  # bytes: what an allocator may keep, and far below a thousand of anything


def footprint(node: NodeProcess) -> dict[str, int]:
    """What the process holds, from outside."""
    process = Path(f"/proc/{node.process.pid}")
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return {
        "memory": resident,
        "descriptors": len(os.listdir(process / "fd")),
        "threads": len(os.listdir(process / "task")),
    }


async def tasks(client: RelayClient, node: NodeProcess) -> int:
    """Its asyncio tasks, the fewest of a few pulses: a goodbye that is on its way at one of them is none that stays."""
    counts = []
    for _ in range(PULSES):
        counts.append(int((await quiet_pulse(client, node)).facts["tasks"]))
        await asyncio.sleep(1)
    return min(counts)


async def quiet_pulse(client: RelayClient, node: NodeProcess):
    """The pulse once nobody is there."""
    async with asyncio.timeout(30):
        while True:
            pulse = (await client.pulses())[node.node]
            if (pulse.rooms, pulse.peers) == (0, 0) and pulse.age < 0.3:
                return pulse
            await asyncio.sleep(0.1)


async def come_and_go(client: RelayClient, node: NodeProcess, number: int) -> None:
    room, peer = f"room {number % 50}", f"peer {number}"
    await client.join(room=room, peer=peer, epoch=1, sdp=full_offer(CHROMIUM), node=node.node)
    await client.leave(room=room, peer=peer, epoch=1, node=node.node)


async def visit(client: RelayClient, node: NodeProcess, number: int) -> list[float]:
    """Two people meet and part; seconds of each from asking to join until the other is seen, or would have been."""
    took = []
    people = [Participant(f"{who} {number}") for who in ("ann", "ben")]
    for person in people:
        began = time.monotonic()
        await person.join(client, f"visit {number}", node=node.node)
        if took:
            await person.sees(people[0].name, 0)
            await people[0].sees(person.name, 0)
        took.append(time.monotonic() - began)
    for person in people:
        await client.leave(room=f"visit {number}", peer=person.name, epoch=1, node=node.node)
        await eventually(lambda p=person: p.closed)
        await person.close(goodbye=False)
    return took


async def test_a_thousand_joins_and_leaves_leave_nothing(nodes, client):
    node = nodes()
    for start in range(0, REMEMBERED, AT_ONCE):  # what is made once, or kept up to a bound, is there now
        await asyncio.gather(*(come_and_go(client, node, number) for number in range(start, start + AT_ONCE)))
    for number in range(3):
        await visit(client, node, number)
    before = {**footprint(node), "tasks": await tasks(client, node)}

    for start in range(1000, 1000 + CHEAP, AT_ONCE):
        await asyncio.gather(*(come_and_go(client, node, number) for number in range(start, start + AT_ONCE)))
    middle = {**footprint(node), "tasks": await tasks(client, node)}
    took = [await visit(client, node, number) for number in range(10, 10 + WHOLE)]
    after = {**footprint(node), "tasks": await tasks(client, node)}

    met = sorted(both[1] for both in took)
    cuts = quantiles(met, n=20)
    say(f"{CHEAP} joins and leaves, then {WHOLE} visits of two: {before} → {middle} → {after}")
    say(f"from asking to join to media both ways: p50 {1000 * cuts[9]:.0f} ms, p95 {1000 * cuts[18]:.0f} ms")
    assert after["descriptors"] <= before["descriptors"] + LOOPS
    for name in ("threads", "tasks"):
        assert after[name] <= before[name], name
    assert middle["memory"] - before["memory"] < SLACK
    assert after["memory"] - middle["memory"] < SLACK
    assert await leftovers(client) == []


async def leftovers(client: RelayClient) -> list[str]:
    """Commands and answers that stayed in Redis, besides those that soon expire."""
    keys = [key async for key in client._redis.scan_iter("relay:*")]
    return [key for key in keys if await client._redis.ttl(key) < 0 and key != "relay:pulses"]


def say(words: str) -> None:
    sys.stdout.write(f"\n{words}\n")
