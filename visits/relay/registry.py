"""A node's entries in Redis: its pulse, its load, and the rooms that are its own.

Every method lets redis.RedisError out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, cast

from redis.asyncio import Redis

from visits.relay import wire

ROOM_LIFE = 60  # seconds that an assignment lives without being refreshed

# A room's node is the one written in its key as long as that node has a pulse. KEYS: room;
# ARGV: candidate, life, prefix of the pulse keys. Answers with the node that has the room now.
ASSIGN = """
local node = redis.call('GET', KEYS[1])
if node and (node == ARGV[1] or redis.call('EXISTS', ARGV[3] .. node) == 1) then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return node
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
"""
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


async def assign(redis: Redis, room: str, candidate: str) -> str:
    """The live node that has the room; if there is none, it is `candidate` from now on."""
    arguments = (wire.room_key(room), candidate, str(ROOM_LIFE), wire.NODE)
    return cast(str, await cast(Any, redis).eval(ASSIGN, 1, *arguments))


async def live_nodes(redis: Redis) -> list[str]:
    """Ids of the nodes with a pulse, the least loaded first."""
    nodes = cast("list[str]", await redis.zrange(wire.NODES, 0, -1))
    pulses = await redis.mget([wire.node_key(node) for node in nodes]) if nodes else []
    return [node for node, pulse in zip(nodes, pulses, strict=True) if pulse is not None]


class Registry:
    """What one node writes about itself."""

    def __init__(self, redis: Redis, node: str, ttl: float) -> None:
        self._redis = redis
        self._node = node
        self._ttl_ms = math.ceil(ttl * 1000)

    async def beat(self, load: float, facts: dict[str, Any]) -> None:
        """Renew the pulse, with the load that nodes are chosen by and facts for the operator."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(wire.node_key(self._node), json.dumps(facts), px=self._ttl_ms)
            pipe.zadd(wire.NODES, {self._node: load})
            await pipe.execute()
        await self._forget_the_dead()

    async def _forget_the_dead(self) -> None:
        known = cast("list[str]", await self._redis.zrange(wire.NODES, 0, -1))
        alive = set(await live_nodes(self._redis))
        dead = [node for node in known if node not in alive]
        if dead:
            await self._redis.zrem(wire.NODES, *dead)

    async def claim(self, room: str) -> bool:
        """Take or keep the room; False if another live node has it."""
        return await assign(self._redis, room, self._node) == self._node

    async def release(self, rooms: Iterable[str]) -> None:
        """Give up rooms that are this node's."""
        for room in rooms:
            await cast(Any, self._redis).eval(RELEASE, 1, wire.room_key(room), self._node)

    async def clear_commands(self) -> None:
        """Drop commands that were meant for an earlier process of this name."""
        await self._redis.delete(wire.commands_key(self._node))

    async def withdraw(self) -> None:
        """Leave no pulse: no new room comes here."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(wire.node_key(self._node))
            pipe.zrem(wire.NODES, self._node)
            await pipe.execute()
