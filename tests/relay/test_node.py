"""Relay nodes as real processes, reached through the client and a real Valkey."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from telehealth.embedded import start_valkey, stop
from tests.headless import eventually
from tests.relay.conftest import ROOT, SECRET, NodeProcess, relay_environment, start_node
from tests.relay.offers import FIREFOX, full_offer
from visits.relay import wire
from visits.relay.client import Joined, RelayClient, RelayRefused, RelayUnavailable, SlotMids
from visits.relay.grants import sign_grant


class Listener:
    """Collects a room's events from the moment it is entered."""

    def __init__(self, client: RelayClient, room: str) -> None:
        self.events = []
        self._subscription = client.events(room)

    async def __aenter__(self):
        await self._subscription.__aenter__()
        self._task = asyncio.create_task(self._listen())
        return self

    async def _listen(self) -> None:
        async for event in self._subscription:
            self.events.append(event)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._subscription.aclose()

    def kinds(self, peer: str) -> list[str]:
        return [event.kind for event in self.events if event.peer == peer and event.kind != "view"]

    def view(self, peer: str):
        return next((e for e in reversed(self.events) if e.peer == peer and e.kind == "view"), None)


async def test_three_people_meet_through_the_client(nodes, client, people):
    node = nodes()
    ann, ben, cam = people("ann"), people("ben"), people("cam")
    async with Listener(client, "room") as heard:
        joined = await ann.join(client, "room")
        assert joined.slots == [SlotMids(i, str(3 + i), str(8 + i)) for i in range(5)]
        assert (joined.screen_mid, joined.view, joined.screen) == ("13", {}, None)
        assert ann.relay_address == (node.host, node.port)
        await ben.join(client, "room")
        await eventually(lambda: heard.kinds("ben") == ["connected"])  # ben's page knows a moment before the relay
        joined = await cam.join(client, "room")
        assert joined.view == {0: "ann", 1: "ben"}
        for person in (ann, ben, cam):
            for index in (0, 1):
                await eventually(lambda p=person, i=index: p.seen(i) and p.seen(i, "audio"))
        await client.share(room="room", peer="ben", epoch=1, on=True, node=node.node)
        await eventually(lambda: heard.view("ann").screen == "ben")
        assert heard.view("ann").slots == {0: "ben", 1: "cam"}
        await client.leave(room="room", peer="cam", epoch=1, node=node.node)
        await eventually(lambda: heard.kinds("cam") == ["connected", "gone"] and cam.closed)
        await eventually(lambda: heard.view("ann").slots == {0: "ben"})
        await client.close_room(room="room", node=node.node)
        await eventually(lambda: ann.closed and ben.closed)
        await eventually(lambda: heard.kinds("ann") == ["connected", "gone"])


async def test_a_reload_through_the_client(nodes, client, people):
    nodes()
    ann, ben, again = people("ann"), people("ben"), people("ben")
    await ann.join(client, "room")
    await ben.join(client, "room")
    await ann.sees("ben", 0)
    joined = await again.join(client, "room", epoch=2)
    assert joined.view == {0: "ann"}
    await ann.sees("ben", 0, since=time.monotonic())
    await eventually(lambda: ben.closed)
    with pytest.raises(RelayRefused) as refusal:
        await people("ben").join(client, "room", epoch=2)
    assert refusal.value.code == "stale-epoch"


async def test_who_vanishes_is_away_then_gone(nodes, client, people):
    nodes(LIMITS="away_after=0.6,gone_after=1.4")
    ann, ben = people("ann"), people("ben")
    async with Listener(client, "room") as heard:
        await ann.join(client, "room")
        await ben.join(client, "room")
        await ben.close(goodbye=False)
        await eventually(lambda: heard.kinds("ben") == ["connected", "away", "gone"])
        await eventually(lambda: heard.view("ann").slots == {})


async def test_refusals_carry_their_code(nodes, client, people, redis_url):
    node = nodes(LIMITS="room_peers=1").node
    await people("ann").join(client, "room")

    async def code(client: RelayClient, **fields: object) -> str:
        with pytest.raises(RelayRefused) as refusal:
            await client.join(
                **{"room": "room", "peer": "ben", "epoch": 1, "sdp": full_offer(FIREFOX), "node": node, **fields}
            )
        return refusal.value.code

    assert await code(client) == "room-full"
    assert await code(client, sdp="v=0\r\n", room="other") == "bad-sdp"
    assert await code(client, peer="ann") == "stale-epoch"
    with pytest.raises(RelayRefused, match="no-peer"):
        await client.share(room="room", peer="nobody", epoch=1, on=True, node=node)
    with pytest.raises(RelayRefused, match="no-peer"):
        await client.share(room="no such room", peer="nobody", epoch=1, on=True, node=node)
    stranger = RelayClient(redis_url, "another secret altogether")
    assert await code(stranger) == "bad-grant"
    await stranger.aclose()


async def test_nobody_to_answer_is_unavailable(client, redis_url):
    for quick in (
        RelayClient(redis_url, SECRET, timeout=0.6),
        RelayClient("redis://127.0.0.1:1/0", SECRET, timeout=0.6),
    ):
        with pytest.raises(RelayUnavailable):
            await quick.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX), node="nobody")
        await quick.aclose()
    patient = RelayClient(redis_url, SECRET, timeout=60)
    with pytest.raises(RelayUnavailable, match="dead"):  # without waiting to the end
        await patient.leave(room="room", peer="ann", epoch=1, node="nobody")
    await patient.aclose()


async def test_a_command_ends_also_where_its_cancellation_was_lost(redis_url, monkeypatch):
    async def nothing(*given: object) -> None:
        """Never gives the event loop its turn, so that no timeout can go off."""

    monkeypatch.setattr(RelayClient, "_send", nothing)
    monkeypatch.setattr(RelayClient, "_listen", nothing)
    quick = RelayClient(redis_url, SECRET, timeout=0.2)
    with pytest.raises(RelayUnavailable, match="TimeoutError"):
        await quick.leave(room="room", peer="ann", epoch=1, node="nobody")
    await quick.aclose()


async def test_a_node_that_does_not_answer_is_unavailable(nodes, client, redis_url):
    node = nodes()
    quick = RelayClient(redis_url, SECRET, timeout=1.0)
    await asyncio.sleep(0.2)  # by now it reads, so that Redis hands it the command
    node.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RelayUnavailable):
            await quick.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX), node=node.node)
    finally:
        node.process.send_signal(signal.SIGCONT)
    await quick.aclose()
    # Given up by its sender, it is not carried out later: the epoch is still unused.
    await asyncio.sleep(0.5)
    await client.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX), node=node.node)


async def test_a_join_that_is_cancelled_is_not_carried_out_later(nodes, client):
    node = nodes()
    await asyncio.sleep(0.2)
    node.process.send_signal(signal.SIGSTOP)
    try:
        join = asyncio.create_task(
            client.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX), node=node.node)
        )
        await asyncio.sleep(0.3)
        assert len(await client._redis.keys("relay:command:*")) == 1
        join.cancel()
        with pytest.raises(asyncio.CancelledError):
            await join
    finally:
        node.process.send_signal(signal.SIGCONT)
    assert await client._redis.keys("relay:command:*") == []
    await client.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX), node=node.node)


async def test_a_leave_is_carried_out_also_when_its_sender_gave_up(nodes, client, people, redis_url):
    node = nodes()
    ann = people("ann")
    await ann.join(client, "room")
    quick = RelayClient(redis_url, SECRET, timeout=0.5)
    node.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RelayUnavailable):
            await quick.leave(room="room", peer="ann", epoch=1, node=node.node)
    finally:
        node.process.send_signal(signal.SIGCONT)
    await quick.aclose()
    await eventually(lambda: ann.closed)


async def give(client: RelayClient, node: NodeProcess, identifier: str, text: str) -> None:
    """A command as the client writes it."""
    await client._redis.set(wire.command_key(identifier), text)
    await client._redis.rpush(wire.commands_key(node.node), identifier)


async def test_a_command_that_comes_twice_is_carried_out_once(nodes, client):
    node = nodes()
    grant = sign_grant(SECRET, node=node.node, room="room", peer="ann", epoch=1)
    command = {"command": "join", "room": "room", "grant": grant, "sdp": full_offer(FIREFOX)}
    answers = []
    for _ in range(3):
        await give(client, node, "same", json.dumps(command))
        answers.append(json.loads((await client._redis.blpop([wire.reply_key("same")], timeout=3))[1]))
    assert answers[0] == answers[1] == answers[2]
    assert Joined.from_json(answers[0]["result"]).sdp.startswith("v=0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"command": "join", "room": 3}',
        r'{"command": "leave", "room": "\ud800"}',
        "[" * 5000,
        '{"command": "close_room", "room": "x", "after": -1}',
        '{"command": "close_room", "room": "x", "after": 1e400}',
        '{"command": "close_room", "room": "x", "after": NaN}',
        '{"command": "close_room", "room": "x", "after": 1' + "0" * 400 + "}",
    ],
)
async def test_a_malformed_command_is_refused(nodes, client, people, text):
    node = nodes()
    await give(client, node, "x", text)
    assert json.loads((await client._redis.blpop([wire.reply_key("x")], timeout=3))[1]) == {"error": "malformed"}
    await people("ann").join(client, "room")


@pytest.mark.parametrize("identifier", ["", "x" * 65, "nothing is known of it", b"\xff\xfe"])
async def test_a_malformed_command_id_does_no_harm(nodes, client, people, identifier):
    node = nodes()
    await client._redis.rpush(wire.commands_key(node.node), identifier)
    await client._redis.rpush(wire.commands_key(node.node), "x")
    await client._redis.set(wire.command_key("x"), b"\xff\xfe")
    await people("ann").join(client, "room")


async def test_sigterm_ends_a_node_also_while_redis_hangs(people):
    with tempfile.TemporaryDirectory(prefix="th-") as folder:
        valkey, url = start_valkey(Path(folder))
        node = start_node(url)
        client = RelayClient(url, SECRET)
        ann = people("ann")
        await ann.join(client, "room")
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            node.process.terminate()
            await eventually(lambda: ann.closed, within=5)
            assert await asyncio.to_thread(node.process.wait, 10) == 0
            assert time.monotonic() - began < 7
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
            node.kill()
            await client.aclose()
            stop(valkey)


async def test_a_subscription_that_is_not_confirmed_gives_its_connection_back(client, monkeypatch):
    monkeypatch.setattr("visits.relay.client.CONFIRM", 0.0)
    for _ in range(3):
        with pytest.raises(RelayUnavailable):
            await client.events("room").__aenter__()
    assert client._redis.connection_pool._in_use_connections == set()


@pytest.mark.parametrize("other", [{"room": "yours"}, {"node": "another"}])
async def test_a_grant_for_another_room_or_node_is_refused(nodes, client, other):
    node = nodes()
    grant = sign_grant(SECRET, **{"node": node.node, "room": "mine", "peer": "ann", "epoch": 1} | other)
    command = {"command": "join", "room": "mine", "grant": grant, "sdp": full_offer(FIREFOX)}
    await give(client, node, "x", json.dumps(command))
    answer = json.loads((await client._redis.blpop([wire.reply_key("x")], timeout=3))[1])
    assert answer == {"error": "bad-grant"}


async def test_the_pulse_tells_the_load(nodes, client, people):
    node = nodes(LIMITS="max_peers=10,max_rooms=4")
    await people("ann").join(client, "room")
    await changes(client, node, lambda pulse: pulse.peers == 1)
    pulse = (await client.pulses())[node.node]
    assert (pulse.rooms, pulse.address, pulse.capacity) == (1, f"{node.host}:{node.port}", 10)
    assert pulse.load >= 0.25
    assert (pulse.full, pulse.is_dead) == ("", False)


async def changes(client: RelayClient, node: NodeProcess, true) -> None:
    """Wait until the node's pulse is as wished."""
    async with asyncio.timeout(10):
        while node.node not in (pulses := await client.pulses()) or not true(pulses[node.node]):
            await asyncio.sleep(0.05)


async def test_a_node_that_is_nearly_full_takes_nobody_else_into_its_rooms_last(nodes, client, people):
    node = nodes(LIMITS="max_rooms=1,max_peers=2")
    await people("ann").join(client, "one")
    with pytest.raises(RelayRefused, match="node-full"):
        await people("ben").join(client, "two")
    await people("cam").join(client, "one")
    with pytest.raises(RelayRefused, match="node-crowded"):
        await people("dan").join(client, "one")
    await changes(client, node, lambda pulse: pulse.full == "peers")
    await people("ann").join(client, "one", epoch=2)  # who is there already may always come back


@pytest.mark.parametrize("limit", ["cpu=0.0001", "bits_per_second=2000"])
async def test_work_and_bandwidth_count(nodes, client, people, limit):
    node = nodes(LIMITS=limit)
    ann, ben = people("ann"), people("ben")
    await changes(client, node, lambda pulse: True)
    if limit.startswith("bits"):
        await ann.join(client, "room")
        await ben.join(client, "room")
    await changes(client, node, lambda pulse: pulse.full == "peers" and pulse.load > 1)
    with pytest.raises(RelayRefused, match="node-full"):
        await people("cam").join(client, "another")
    if limit.startswith("bits"):
        await ann.sees("ben", 0, since=time.monotonic())  # nobody is thrown out


async def test_sigterm_says_goodbye(nodes, client, people):
    node = nodes()
    ann, ben = people("ann"), people("ben")
    async with Listener(client, "room") as heard:
        await ann.join(client, "room")
        await ben.join(client, "room")
        began = time.monotonic()
        assert node.terminate() == 0
        assert time.monotonic() - began < 6
        await eventually(lambda: ann.closed and ben.closed)
        await eventually(lambda: heard.kinds("ann") == heard.kinds("ben") == ["connected", "gone"])
    assert (await client.pulses())[node.node].is_dead
    with pytest.raises(RelayUnavailable):
        await client.share(room="room", peer="ann", epoch=1, on=False, node=node.node)
    assert set(await client._redis.keys("relay:command:*")) == set()
    again = nodes()
    carried = people("ann")
    await carried.join(client, "room", epoch=2)
    assert carried.relay_address[1] == again.port


async def test_a_command_to_a_node_that_died_fails_as_soon_as_that_is_known(nodes, client, people, redis_url):
    node = nodes()
    await people("ann").join(client, "room")
    node.kill()
    patient = RelayClient(redis_url, SECRET, timeout=60)
    for _ in range(2):
        with pytest.raises(RelayUnavailable, match="dead"):
            await patient.share(room="room", peer="ann", epoch=1, on=True, node=node.node)
    await patient.aclose()


async def test_a_node_that_hung_lets_a_room_go_that_moved_meanwhile(nodes, client, people):
    slow, other = nodes(), nodes()
    ann, again = people("ann"), people("ann")
    await ann.join(client, "room", node=slow.node)
    slow.process.send_signal(signal.SIGSTOP)
    try:
        await changes(client, slow, lambda pulse: pulse.is_dead)
        with pytest.raises(RelayUnavailable, match="dead"):
            await client.close_room(room="room", node=slow.node)
        await again.join(client, "room", epoch=2, node=other.node)
    finally:
        slow.process.send_signal(signal.SIGCONT)
    await eventually(lambda: ann.closed)
    await changes(client, slow, lambda pulse: not pulse.is_dead)
    assert not again.closed


async def test_a_room_that_moves_may_be_used_a_little_longer(nodes, client, people):
    node = nodes()
    ann, ben = people("ann"), people("ben")
    await ann.join(client, "room")
    await client.close_room(room="room", node=node.node, after=1.0)
    await ben.join(client, "room")  # after it was said: stays
    await ann.sees("ben", 0)
    await eventually(lambda: ann.closed)
    assert not ben.closed


async def test_a_node_whose_loop_dies_ends_with_a_failure(redis_url):
    script = (
        "import os, sys; from visits.relay.lean import leave_codecs_out; leave_codecs_out()\n"
        "from visits.relay import engine, server\n"
        "engine.Engine.tick = lambda self, now: 1 / 0\n"
        "sys.exit(server.run(os.environ))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=relay_environment(redis_url),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 70
    assert "a loop ended with ZeroDivisionError" in done.stderr


async def test_a_redis_restart_is_survived(people):
    with tempfile.TemporaryDirectory(prefix="th-") as folder:
        valkey, url = start_valkey(Path(folder))
        node = start_node(url)
        client = RelayClient(url, SECRET)
        try:
            ann, ben = people("ann"), people("ben")
            async with Listener(client, "room") as heard:
                await ann.join(client, "room")
                await ben.join(client, "room")
                stop(valkey)
                now = time.monotonic()
                await ann.sees("ben", 0, since=now)
                hasty = RelayClient(url, SECRET, timeout=0.5)
                with pytest.raises(RelayUnavailable):
                    await hasty.share(room="room", peer="ann", epoch=1, on=True, node=node.node)
                valkey, _ = start_valkey(Path(folder))
                heard.events.clear()
                await eventually(lambda: heard.kinds("ann") and heard.view("ben"), within=10)
                assert heard.view("ben").slots == {0: "ann"}
                cam = people("cam")
                await cam.join(client, "room")
                await cam.sees("ann", 0)
                await ann.sees("cam", 1)
                assert cam.relay_address[1] == node.port
        finally:
            await client.aclose()
            node.terminate()
            stop(valkey)
