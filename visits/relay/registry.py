"""A node's pulse in Redis, by which the web side knows that it lives and what it can take.

Every function lets redis.RedisError out.
"""

from __future__ import annotations

import contextlib
from typing import cast

from redis.asyncio import Redis

from visits.relay import wire
from visits.relay.wire import Pulse


async def pulses(redis: Redis) -> dict[str, Pulse]:
    """The last pulse of every node that had one within the last minute, by node."""
    nodes = sorted(cast("set[str]", await redis.smembers(wire.NODES)))
    async with redis.pipeline(transaction=False) as pipe:
        for node in nodes:
            pipe.get(wire.node_key(node))
            pipe.pttl(wire.node_key(node))
        answers = await pipe.execute() if nodes else []
    found = {}
    for node, text, left in zip(nodes, answers[::2], answers[1::2], strict=True):
        if text is not None and left >= 0:
            with contextlib.suppress(ValueError):  # no word of a node of ours
                found[node] = Pulse.from_text(text, wire.age(left))
    if len(found) < len(nodes):
        await redis.srem(wire.NODES, *(set(nodes) - set(found)))  # one that lives comes back with its next beat
    return found


class Registry:
    """What one node writes about itself."""

    def __init__(self, redis: Redis, node: str) -> None:
        self._redis = redis
        self._node = node

    async def beat(self, pulse: Pulse) -> None:
        """Renew the pulse."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(wire.node_key(self._node), pulse.to_text(), px=wire.PULSE_LIFE)
            pipe.sadd(wire.NODES, self._node)
            await pipe.execute()
