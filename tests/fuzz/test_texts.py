"""Offers, commands, grants and events that are not what they should be: refused by name, or carried out."""

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from tests.fuzz.conftest import SECONDS, SEED, WIDE
from tests.fuzz.mutate import Mutator, kept
from tests.headless import Participant
from tests.relay.conftest import SECRET, Relay
from tests.relay.offers import CHROMIUM, FIREFOX, full_offer
from visits.relay import wire
from visits.relay.commands import Commands
from visits.relay.config import PATHS
from visits.relay.engine import Refused
from visits.relay.grants import BadGrant, Grant, sign_grant, verify_grant
from visits.relay.wire import Joined, Pulse, RoomEvent, SlotMids, StreamFigures

NODE = "node.1"
EVENTS = [
    RoomEvent("connected", "ann", 1),
    RoomEvent("view", "ann", 1, {0: "ben", 4: "cam"}, "cam", steps={0: "low"}, watched={"ben": "paused"}),
    RoomEvent("stats", "", 0, streams=[StreamFigures("ann", None, "camera", 1, 0.5, None, 0.1)] * 4),
]
PULSE = Pulse("127.0.0.1:1", 1, 2, 400, 0.5, 10**6, 0.3, facts={"refused": {"size": 1}})
CODES = {
    "bad-grant", "bad-sdp", "stale-epoch", "room-full", "node-full", "node-crowded", "no-peer", "malformed", "stopping",
}  # fmt: skip


def for_a_while() -> Iterator[int]:
    """Numbers, until the time of the target is over."""
    deadline = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < deadline:
        yield number
        number += 1


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay(WIDE, PATHS[0])
    yield relay
    await relay.close()


@pytest.fixture(scope="session")
def offers() -> list[str]:
    texts = [full_offer(CHROMIUM), full_offer(FIREFOX), full_offer(CHROMIUM, slots=1)]
    return texts + [seed.decode("utf-8", "surrogateescape") for seed in kept("sdp")]


async def test_an_offer_is_answered_or_refused(relay: Relay, mutator: Mutator, offers: list[str]) -> None:
    seeds = [*offers, Participant("ann").offer()]
    outcomes: dict[str, int] = {}
    for number in for_a_while():
        offer = mutator.lines(seeds)
        try:
            joined = relay.engine.join("room", "ann", number + 1, offer, relay.address)
        except Refused as refusal:
            outcome = refusal.code
        else:
            outcome = "joined"
            assert joined.sdp.count("\r\nm=") == len(re.findall(r"^m=", offer, re.MULTILINE)), f"seed {SEED}"
            assert joined.sdp.isprintable() or set(joined.sdp) - {"\r", "\n"} <= set(map(chr, range(32, 127)))
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if number % 20 == 0:
            await asyncio.sleep(0)
    assert outcomes.keys() == {"joined", "bad-sdp"}, f"seed {SEED}"
    assert len(relay.engine.roster) <= 1


async def test_a_command_is_carried_out_or_refused(relay: Relay, mutator: Mutator, offers: list[str]) -> None:
    redis = cast("Redis", None)  # what is written there is not what this is about
    commands = Commands(relay.engine, redis, NODE, SECRET, relay.address)
    found = set()
    for number in for_a_while():
        epoch = number + 1
        grant = sign_grant(SECRET, node=NODE, room="room", peer="ann", epoch=epoch)
        seeds = [
            {"command": "join", "room": "room", "grant": grant, "sdp": offers[0]},
            {"command": "leave", "room": "room", "peer": "ann", "epoch": epoch},
            {"command": "share", "room": "room", "peer": "ann", "epoch": epoch, "on": True},
            {"command": "prefer", "room": "room", "peer": "ann", "epoch": epoch, "heights": {"0": 720, "4": 0}},
            {"command": "news", "room": "room"},
            {"command": "close_room", "room": "room", "after": 0.0},
        ]
        answer = commands._answer(mutator.document(seeds))
        found.add(answer.get("error", "result"))
        broken = [name for name in relay.engine.counters if name.startswith("error_")]
        assert (answer.get("error", "malformed") in CODES, broken) == (True, []), f"seed {SEED}: {answer}"
        json.dumps(answer)
        if number % 50 == 0:
            relay.engine.tick(time.monotonic())
            await asyncio.sleep(0)
    assert {"result", "malformed", "bad-grant", "bad-sdp"} <= found


def test_a_grant_is_what_was_signed_or_none(mutator: Mutator) -> None:
    honest = Grant(NODE, "room", "ann", 7)
    token = sign_grant(SECRET, node=NODE, room="room", peer="ann", epoch=7)
    forged = sign_grant("another secret", node=NODE, room="room", peer="ann", epoch=7)
    for number in for_a_while():
        if number % 1000 == 0:
            token = sign_grant(SECRET, node=NODE, room="room", peer="ann", epoch=7)
        text = mutator.octets([token.encode(), forged.encode()]).decode("utf-8", "surrogateescape")
        with contextlib.suppress(BadGrant):
            assert verify_grant(SECRET, text) == honest, f"seed {SEED}"


def test_an_event_is_read_or_refused(mutator: Mutator) -> None:
    joined = Joined("v=0", [SlotMids(0, "3", None)], "13", {0: "ben"}, None)
    events = [json.loads(event.to_text()) for event in EVENTS]
    pulse = json.loads(PULSE.to_text())
    read = 0
    for number in for_a_while():
        with contextlib.suppress(ValueError):
            if number % 3:
                event = RoomEvent.from_text(mutator.document(events))
                assert RoomEvent.from_text(event.to_text()) == event
                _is_json(event.to_text())
            else:
                known = Pulse.from_text(mutator.document([pulse]), 0.1)
                assert isinstance(known.peers, int)
            read += 1
    assert read > 0
    assert Joined.from_json(joined.to_json()) == joined


def _is_json(text: str) -> None:
    def no(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON (seed {SEED})")

    json.loads(text, parse_constant=no)


async def test_a_node_lives_on_whatever_is_in_redis(nodes, client, redis_url, mutator, people):
    """Redis is trusted not to be written by strangers; what is there by mistake must not stop a node all the same."""
    node = nodes()
    redis = Redis.from_url(redis_url)
    chance = mutator.chance
    commands = wire.commands_key(node.node)
    for number in range(80):
        identifier = chance.choice((secrets.token_bytes(8), f"fuzz-{number}".encode(), b"", b"x" * 100))
        key = wire.command_key(identifier.decode("latin-1"))
        match chance.randrange(4):
            case 0:
                await redis.set(key, chance.randbytes(50))
            case 1:
                await redis.set(key, mutator.document([{"command": "news", "room": "room"}]).encode("utf-8", "replace"))
            case 2:
                await redis.delete(key)
                await redis.rpush(key, "not a text")
            case _:
                pass  # it has expired
        await redis.rpush(commands, identifier)
        await redis.publish(wire.events_channel("room"), chance.randbytes(20))
        await redis.publish(
            wire.events_channel("room"), mutator.document([json.loads(EVENTS[0].to_text())]).encode("utf-8", "replace")
        )
    async with client.events("room") as events:
        await redis.publish(wire.events_channel("room"), b"\xff\xfe")
        await redis.publish(wire.events_channel("room"), b"{}")
        ann, ben = people("ann"), people("ben")
        await ann.join(client, "room", node=node.node)
        await ben.join(client, "room", node=node.node)
        await ann.sees("ben", 0)
        async with asyncio.timeout(10):
            async for event in events:
                if event.kind == "connected" and event.peer == "ben":
                    break
    assert node.process.poll() is None
    await redis.aclose()
