"""One relay node: the engine between its UDP port and Redis. It lives through a Redis restart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from visits.relay import wire
from visits.relay.announcer import Announcer
from visits.relay.commands import Commands
from visits.relay.config import RelayConfig
from visits.relay.engine import TICK, TURN, Engine
from visits.relay.load import Load
from visits.relay.registry import Registry
from visits.relay.udp import UdpPort
from visits.relay.wire import Pulse

COMMAND_WAIT = 0.5  # seconds that one blocking read of the command list takes at most
RETRY = 0.5  # seconds between two tries to reach Redis
GRACE = 2.0  # seconds for a loop to end
FAREWELL = 1.0  # seconds for each of the two last rounds with Redis, which may hang

T = TypeVar("T")

logger = logging.getLogger("visits.relay")


class Node:
    """Runs from `start` to `stop`. `config` has its port and node id."""

    def __init__(self, config: RelayConfig, port: UdpPort, engine: Engine, announcer: Announcer, redis: Redis) -> None:
        self._config = config
        self._port = port
        self._engine = engine
        self._announcer = announcer
        self._redis = redis
        self._registry = Registry(redis, config.node_id)
        address = (config.public_ip, config.port)
        self._commands = Commands(engine, redis, config.node_id, config.secret, address)
        self._loops: list[asyncio.Task[None]] = []
        self._cut_off = False
        self._stopping = asyncio.Event()
        self._load = Load(engine.counters)

    @property
    def path(self) -> str:
        """Which way packets take."""
        return self._port.name

    async def start(self) -> None:
        """Enter the registry and begin. Raises RedisError if Redis cannot be reached."""
        await self._beat()
        self._port.open(self._engine.ingress)
        for loop in (self._take_commands, self._keep_beating, self._publish, self._publish_figures, self._tick):
            self._loops.append(asyncio.create_task(loop()))

    async def broken(self) -> None:
        """Wait until a loop ends by itself, which none should: without it the node is no node."""
        await asyncio.wait(self._loops, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """Take no more rooms, say goodbye to everybody, leave the registry. Bounded, also while Redis hangs."""
        self._stopping.set()
        await self._end(*self._loops[:2], patience=GRACE)
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._registry.beat(self._pulse(gone=True))
        await self._engine.close()
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._send_elsewhere()
                await self._announcer.flush()
        await self._end(*self._loops, patience=0)
        self._port.close()

    @staticmethod
    async def _end(*loops: asyncio.Task[None], patience: float) -> None:
        """Wait for loops that look at `_stopping`, cancel what hangs.

        What talks to Redis is not cancelled at once: redis-py may turn a cancellation into an error
        of its own, and a command that was popped just then would be lost.
        """
        _, hanging = await asyncio.wait(loops, timeout=patience)
        for loop in hanging:
            loop.cancel()
        done, _ = await asyncio.wait(loops, timeout=GRACE)
        for loop in done:
            if not loop.cancelled() and loop.exception() is not None:
                logger.error("a loop ended with %s", type(loop.exception()).__name__)

    async def _send_elsewhere(self) -> None:
        key = wire.commands_key(self._config.node_id)
        while (identifier := await cast(Any, self._redis).lpop(key)) is not None:
            await self._commands.refuse(identifier)

    async def _tick(self) -> None:
        while True:
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            now = time.monotonic()
            self._load.woke(now - due)
            self._engine.tick(now)

    async def _keep_beating(self) -> None:
        while not self._stopping.is_set():
            await self._survive(self._beat)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wire.HEARTBEAT)

    async def _publish(self) -> None:
        while True:
            await self._survive(self._announcer.publish_next)

    async def _publish_figures(self) -> None:
        """Tell how the streams go. While Redis is away nobody hears it, and it is not told later."""
        while True:
            await asyncio.sleep(TURN)
            try:
                await self._announcer.publish(self._engine.figures(time.monotonic()))
            except (RedisError, OSError):
                await asyncio.sleep(RETRY)
            except Exception as error:
                self._engine.counters.fail("figures", error)

    async def _take_commands(self) -> None:
        while not self._stopping.is_set():
            identifier = await self._survive(self._next_command)
            if identifier is not None:
                await self._survive(partial(self._commands.take, identifier))

    async def _next_command(self) -> str | None:
        key = wire.commands_key(self._config.node_id)
        popped = await cast(Any, self._redis).blpop([key], timeout=COMMAND_WAIT)
        return popped[1] if popped else None

    async def _survive(self, step: Callable[[], Awaitable[T]]) -> T | None:
        """Repeat a step that needs Redis until it succeeds, or the node stops. Meanwhile the media goes on.

        None if the step cannot succeed, as with bytes in Redis that are no text: the loops must not end by it.
        """
        while True:
            try:
                result = await step()
            except (RedisError, OSError) as error:
                if self._stopping.is_set():
                    raise
                if not self._cut_off:
                    logger.warning("Redis is away (%s), going on without it", type(error).__name__)
                self._cut_off = self._announcer.missed = True
                await asyncio.sleep(RETRY)
            except Exception as error:
                self._engine.counters.fail("step", error)
                await asyncio.sleep(TURN)
                return None
            else:
                return result

    async def _beat(self) -> None:
        await self._registry.beat(self._pulse())
        if self._cut_off:
            logger.warning("Redis is back")
            self._cut_off = False
        elif self._announcer.missed:
            # One beat later, when the listeners have reconnected too.
            self._announcer.missed = False
            for room in self._engine.halls:
                for event in self._engine.news(room):
                    self._announcer.announce(room, event)

    def _pulse(self, *, gone: bool = False) -> Pulse:
        engine, admission = self._engine, self._engine.admission
        facts, bitrate = {**self._load.facts(), "tasks": len(asyncio.all_tasks())}, engine.statistics.bitrate
        admission.measured(cpu=facts["cpu"], late=facts["loop_lag_ms"] / 1000, bitrate=bitrate)
        rooms, peers = len(engine.halls), len(engine.roster)
        takes_room, takes_peer = admission.takes_room(rooms, peers), admission.takes_peer(peers)
        return Pulse(
            address=f"{self._config.public_ip}:{self._config.port}",
            rooms=rooms,
            peers=peers,
            capacity=self._config.limits.max_peers,
            cpu=facts.pop("cpu"),
            bitrate=bitrate,
            load=round(admission.load(rooms, peers), 3),
            full="" if takes_room else "rooms" if takes_peer else "peers",
            gone=gone,
            facts=facts,
        )
