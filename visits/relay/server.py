"""The relay process: reads its settings, binds its port, runs a node until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from visits.relay.announcer import Announcer
from visits.relay.config import ConfigError, RelayConfig
from visits.relay.counters import Counters
from visits.relay.engine import Engine
from visits.relay.node import Node
from visits.relay.paths import PathMissing, make_port
from visits.relay.udp import bind

try:
    import uvloop
except ImportError:  # optional: some 10 % cheaper per packet
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
else:
    new_loop = uvloop.new_event_loop

logger = logging.getLogger("visits.relay")

GARBAGE = 100_000  # objects made and not freed before a collection
REDIS_PATIENCE = 5.0  # seconds; longer than any blocking read of ours
BROKEN = 70  # exit status: whoever started us shall start another one (EX_SOFTWARE of sysexits.h)


def run(environ: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT; the exit status. 1, with one line on stderr, if it cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        config = RelayConfig.from_env(environ)
        sock = bind(config.bind_host, config.port, local_only=config.local_only)
    except ConfigError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot use UDP {config.bind_host}:{config.port}: {error.strerror}")
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_serve(config.bound_to(sock.getsockname()[1]), sock))


def _fail(reason: str) -> int:
    print(f"relay: {reason}", file=sys.stderr)  # noqa: T201 - the operator's one line
    return 1


async def _serve(config: RelayConfig, sock: socket.socket) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        redis = _connect(config.redis_url)
    except ValueError:
        return _fail("TELEHEALTH_REDIS_URL is not a Redis URL")
    try:
        node = _make_node(config, sock, redis)
    except PathMissing as error:
        return _fail(str(error))
    try:
        await node.start()
    except (RedisError, OSError) as error:
        return _fail(f"cannot reach Redis ({type(error).__name__})")
    else:
        gc.freeze()  # what lives as long as the process need not be walked again
        gc.set_threshold(GARBAGE)  # packets leave no cycles, and looking for some costs a tenth of the work
        logger.info("packets take the %s path", node.path)
        print(f"relay {config.node_id} on {config.public_ip}:{config.port}", flush=True)  # noqa: T201
        await _first(stopped.wait(), node.broken())
        await node.stop()
        return 0 if stopped.is_set() else BROKEN
    finally:
        with contextlib.suppress(RedisError, OSError):
            await redis.aclose()


async def _first(*waiting: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(one) for one in waiting]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _connect(url: str) -> Redis:
    # The node repeats what fails by itself, and at the start it shall fail at once.
    never = Retry(NoBackoff(), 0)
    return Redis.from_url(
        url, decode_responses=True, encoding_errors="replace", retry=never,
        socket_timeout=REDIS_PATIENCE, socket_connect_timeout=REDIS_PATIENCE,
    )  # fmt: skip


def _make_node(config: RelayConfig, sock: socket.socket, redis: Redis) -> Node:
    counters = Counters()
    port = make_port(sock, config.limits, counters, config.path)
    announcer = Announcer(redis)
    engine = Engine(config.limits, port.send, announcer.announce, counters)
    return Node(config, port, engine, announcer, redis)
