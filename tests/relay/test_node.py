"""Relay nodes as real processes, reached through the client and a real Valkey."""

import asyncio
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from telehealth.embedded import start_valkey, stop
from tests.headless import eventually
from tests.relay.conftest import SECRET, NodeProcess, start_node
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
        joined = await cam.join(client, "room")
        assert joined.view == {0: "ann", 1: "ben"}
        for person in (ann, ben, cam):
            for index in (0, 1):
                await eventually(lambda p=person, i=index: p.seen(i) and p.seen(i, "audio"))
        await client.share(room="room", peer="ben")
        await eventually(lambda: heard.view("ann").screen == "ben")
        assert heard.view("ann").slots == {0: "ben", 1: "cam"}
        await client.leave(room="room", peer="cam", epoch=1)
        await eventually(lambda: heard.kinds("cam") == ["connected", "gone"] and cam.closed)
        await eventually(lambda: heard.view("ann").slots == {0: "ben"})
        await client.close_room(room="room")
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
    nodes(LIMITS="room_peers=1")
    await people("ann").join(client, "room")

    async def code(client: RelayClient, **fields: object) -> str:
        with pytest.raises(RelayRefused) as refusal:
            await client.join(**{"room": "room", "peer": "ben", "epoch": 1, "sdp": full_offer(FIREFOX), **fields})
        return refusal.value.code

    assert await code(client) == "room-full"
    assert await code(client, sdp="v=0\r\n", room="other") == "bad-sdp"
    assert await code(client, peer="ann") == "stale-epoch"
    with pytest.raises(RelayRefused, match="no-peer"):
        await client.share(room="room", peer="nobody")
    with pytest.raises(RelayRefused, match="no-peer"):
        await client.share(room="no such room", peer="nobody")
    stranger = RelayClient(redis_url, "another secret altogether")
    assert await code(stranger) == "bad-grant"
    await stranger.aclose()


async def test_nobody_to_answer_is_unavailable(client, redis_url):
    for quick in (
        RelayClient(redis_url, SECRET, timeout=0.6),
        RelayClient("redis://127.0.0.1:1/0", SECRET, timeout=0.6),
    ):
        began = time.monotonic()
        with pytest.raises(RelayUnavailable):
            await quick.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX))
        assert time.monotonic() - began < 1.5
        await quick.aclose()
    # What is not there needs no node to be let go of.
    await client.leave(room="room", peer="ann", epoch=1)
    await client.close_room(room="room")
    await client.share(room="room", peer=None)


async def test_a_node_that_does_not_answer_is_unavailable(nodes, client, redis_url):
    node = nodes()
    quick = RelayClient(redis_url, SECRET, timeout=1.0)
    await asyncio.sleep(0.2)  # by now it reads, so that Redis hands it the command
    node.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RelayUnavailable):
            await quick.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX))
    finally:
        node.process.send_signal(signal.SIGCONT)
    await quick.aclose()
    # Given up by its sender, it is not carried out later: the epoch is still unused.
    await asyncio.sleep(0.5)
    await client.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX))


async def test_a_join_that_is_cancelled_is_not_carried_out_later(nodes, client):
    node = nodes()
    await asyncio.sleep(0.2)
    node.process.send_signal(signal.SIGSTOP)
    try:
        join = asyncio.create_task(client.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX)))
        await asyncio.sleep(0.3)
        assert len(await client._redis.keys("relay:command:*")) == 1
        join.cancel()
        with pytest.raises(asyncio.CancelledError):
            await join
    finally:
        node.process.send_signal(signal.SIGCONT)
    assert await client._redis.keys("relay:command:*") == []
    await client.join(room="room", peer="ann", epoch=1, sdp=full_offer(FIREFOX))


async def test_a_leave_is_carried_out_also_when_its_sender_gave_up(nodes, client, people, redis_url):
    node = nodes()
    ann = people("ann")
    await ann.join(client, "room")
    quick = RelayClient(redis_url, SECRET, timeout=0.5)
    node.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RelayUnavailable):
            await quick.leave(room="room", peer="ann", epoch=1)
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
    grant = sign_grant(SECRET, room="room", peer="ann", epoch=1)
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


async def test_a_grant_for_another_room_is_refused(nodes, client):
    node = nodes()
    grant = sign_grant(SECRET, room="mine", peer="ann", epoch=1)
    command = {"command": "join", "room": "yours", "grant": grant, "sdp": full_offer(FIREFOX)}
    await give(client, node, "x", json.dumps(command))
    answer = json.loads((await client._redis.blpop([wire.reply_key("x")], timeout=3))[1])
    assert answer == {"error": "bad-grant"}


async def test_the_pulse_tells_the_load(nodes, client, people):
    node = nodes(LIMITS="heartbeat=0.2,node_ttl=0.8")
    await people("ann").join(client, "room")
    await asyncio.sleep(0.5)
    facts = json.loads(await client._redis.get(wire.node_key(node.node)))
    assert (facts["rooms"], facts["peers"], facts["address"]) == (1, 1, f"{node.host}:{node.port}")
    assert await client._redis.zscore(wire.NODES, node.node) == 1
    assert 0 < await client._redis.pttl(wire.node_key(node.node)) <= 800
    assert await client._redis.get(wire.room_key("room")) == node.node


async def test_new_rooms_go_to_the_least_loaded_node_and_everybody_of_a_room_to_the_same(nodes, client, people):
    first = nodes(LIMITS="heartbeat=0.1")
    await people("ann").join(client, "one")
    await asyncio.sleep(0.3)
    second = nodes(LIMITS="heartbeat=0.1")
    ben, cam = people("ben"), people("cam")
    await ben.join(client, "two")
    await cam.join(client, "one")
    assert ben.relay_address[1] == second.port
    assert cam.relay_address[1] == first.port


async def test_sigterm_says_goodbye_and_leaves_nothing(nodes, client, people):
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
    assert await client._redis.keys("relay:*") == []
    again = nodes()
    carried = people("ann")
    await carried.join(client, "room", epoch=2)
    assert carried.relay_address[1] == again.port


async def test_a_room_of_a_node_that_died_moves_to_a_live_one(nodes, client, people):
    dead = nodes(LIMITS="heartbeat=0.2,node_ttl=0.7")
    await people("ann").join(client, "room")
    dead.kill()
    alive = nodes(LIMITS="heartbeat=0.2,node_ttl=0.7")
    await asyncio.sleep(1.0)
    again = people("ann")
    await again.join(client, "room", epoch=2)
    assert again.relay_address[1] == alive.port
    assert await client._redis.zrange(wire.NODES, 0, -1) == [alive.node]


async def test_a_node_that_seemed_dead_gives_up_the_room_that_moved(nodes, client, people):
    limits = "heartbeat=0.2,node_ttl=0.7"
    slow, other = nodes(LIMITS=limits), None
    ann = people("ann")
    await ann.join(client, "room")
    slow.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1.0)
    other = nodes(LIMITS=limits)
    again = people("ann")
    await again.join(client, "room", epoch=2)
    assert again.relay_address[1] == other.port
    slow.process.send_signal(signal.SIGCONT)
    await eventually(lambda: ann.closed)
    assert not again.closed


async def test_a_redis_restart_is_survived(people):
    with tempfile.TemporaryDirectory(prefix="th-") as folder:
        valkey, url = start_valkey(Path(folder))
        node = start_node(url, LIMITS="heartbeat=0.2,node_ttl=1")
        client = RelayClient(url, SECRET)
        try:
            ann, ben = people("ann"), people("ben")
            async with Listener(client, "room") as heard:
                await ann.join(client, "room")
                await ben.join(client, "room")
                stop(valkey)
                now = time.monotonic()
                await ann.sees("ben", 0, since=now)
                with pytest.raises(RelayUnavailable):
                    await RelayClient(url, SECRET, timeout=0.5).share(room="room", peer="ann")
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
