"""One measurement in a process of its own: start a server, fill its rooms, play, count. Prints a line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.relay.peer import Peer
from tests.bench.relay.pump import Pump, Window
from tests.bench.relay.servers import LOAD_CORE, SERVERS, Server, server_class, use_core

CLONE_NEWNET = 0x40000000
RAMP = 3.5  # seconds until all peers play, and a little more
HOST = "198.18.0.1"  # RFC 2544: for benchmarks


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay.run")
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--people", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--gap", type=int, default=0, help="microseconds between two packets of a burst")
    given = parser.parse_args()
    host = own_network()
    use_core(LOAD_CORE)
    server = server_class(given.server)(host)
    print(json.dumps(asyncio.run(measure(server, given.rooms, given.people, given.seconds, given.gap))))


def own_network() -> str:
    """The address to use: in a network namespace of this process's own if that is allowed, else the machine's.

    Not the loopback address: three of the servers leave that out of their candidates.
    """
    if os.geteuid() == 0 and ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0:
        steps = ("link set lo up", "link add bench0 type veth peer name bench1", f"addr add {HOST}/24 dev bench0",
                 "link set bench0 up", "link set bench1 up")  # fmt: skip
        for step in steps:
            subprocess.run(["ip", *step.split()], check=True)
        return HOST
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


async def measure(server: Server, rooms: int, people: int, seconds: float, gap: int) -> dict[str, Any]:
    """The figures of one run."""
    try:
        await server.start()
        empty = memory(server.pid)
        peers, took = await fill(server, rooms, people)
        pump = Pump(len(peers), stamps=not server.transcodes, gap=1000 * gap)
        for peer in peers:
            pump.add(peer)
        pump.start()
        await asyncio.sleep(RAMP)
        window, used, passed, own = await observe(server, pump, seconds)
        held = memory(server.pid) - empty
        pump.stop()
        profile = peers[0].profile
    finally:
        await server.stop()
    streams = rooms * people * (people - 1) * 2
    return figures(window, used, passed, rooms) | {
        "streams_missing": streams - window.counts["streams"], "load_core": round(own / passed, 3),
        "memory_empty": empty, "memory": held / rooms, "join": took / rooms / people, "profile": profile,
    }  # fmt: skip


async def observe(server: Server, pump: Pump, seconds: float) -> tuple[Window, float, float, float]:
    """One window: what came, CPU of the server, how long it was, CPU of this process (all in seconds)."""
    used, own, passed = cpu(server.pid), time.process_time(), time.monotonic()
    pump.begin()
    await asyncio.sleep(seconds)
    used, own, passed = cpu(server.pid) - used, time.process_time() - own, time.monotonic() - passed
    return pump.end(), used, passed, own


async def fill(server: Server, rooms: int, people: int) -> tuple[list[Peer], float]:
    """Everybody joins, one after the other; the peers, and how long it took."""
    at, peers = time.monotonic(), []
    for room in range(rooms):
        for seat in range(people):
            peers += await server.join(str(room), seat, people)
    return peers + await server.settle(), time.monotonic() - at


def figures(window: Window, used: float, passed: float, rooms: int) -> dict[str, Any]:
    """Costs and losses of a window in which the server used so many seconds of CPU."""
    counts = window.counts
    each = used / max(counts["received"], 1)
    lost = 1 - counts["received"] / max(counts["expected"], 1)
    return {
        "us": 1e6 * each, "core": used / passed, "rooms_per_core": rooms * passed / used, "loss": lost,
        "p50": window.latency.get(50), "p99": window.latency.get(99), "p999": window.latency.get(99.9),
        "rate": counts["received"] / passed, "latest_ms": counts["latest"] / 1e6, **counts,
    }  # fmt: skip


def cpu(pid: int) -> float:
    """Seconds of CPU of all threads, by the scheduler's count of nanoseconds."""
    return sum(int(read.split()[0]) for read in _each(Path(f"/proc/{pid}/task").glob("*/schedstat"))) / 1e9


def _each(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        with contextlib.suppress(OSError):  # a thread that has just ended
            yield path.read_text()


def memory(pid: int) -> int:
    """Bytes that the process has for itself, without programs and libraries."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


if __name__ == "__main__":
    sys.exit(main())
