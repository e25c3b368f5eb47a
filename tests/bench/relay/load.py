"""A server whose rooms are full and whose people play: what it costs and what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.relay.peer import Peer
from tests.bench.relay.pump import Pump
from tests.bench.relay.servers import Server

RAMP = 8.0  # seconds from the first packet on: until all are in their places, and lines are known


class Load:
    """`rooms` of so many `people` on a server that has been started. `gap`: microseconds, as in `clip`."""

    def __init__(self, server: Server, rooms: int, people: int, gap: int = 0) -> None:
        self._server = server
        self._rooms, self._people, self._gap = rooms, people, gap
        self._peers: list[Peer] = []

    async def start(self) -> None:
        """Let everybody join, one after the other, and play; returns when all do."""
        self._empty = memory(self._server.pid)
        at = time.monotonic()
        for room in range(self._rooms):
            for seat in range(self._people):
                self._peers += await self._server.join(str(room), seat, self._people)
        self._peers += await self._server.settle()
        self._join = (time.monotonic() - at) / self._rooms / self._people
        self._pump = Pump(len(self._peers), stamps=not self._server.transcodes, gap=1000 * self._gap)
        for peer in self._peers:
            self._pump.add(peer)
        self._pump.start()
        await asyncio.sleep(RAMP)

    async def window(self, seconds: float) -> dict[str, Any]:
        """The figures of so many seconds: times in seconds, latencies in ms, memory in bytes."""
        used, own, passed = cpu(self._server.pid), time.process_time(), time.monotonic()
        self._pump.begin()
        await asyncio.sleep(seconds)
        used, own, passed = cpu(self._server.pid) - used, time.process_time() - own, time.monotonic() - passed
        window = self._pump.end()
        counts = window.counts
        expected = max(counts["expected"], counts["sent"] * (self._people - 1), 1)
        return {
            "us": 1e6 * used / max(counts["received"], 1), "core": used / passed,
            "rooms_per_core": self._rooms * passed / max(used, 1e-9), "loss": 1 - counts["received"] / expected,
            "p50": window.latency.get(50), "p99": window.latency.get(99), "p999": window.latency.get(99.9),
            "streams_missing": self._rooms * self._people * (self._people - 1) * 2 - counts["streams"],
            "memory_empty": self._empty, "memory": (memory(self._server.pid) - self._empty) / self._rooms,
            "join": self._join, "load_core": own / passed, "profile": self._peers[0].profile, **counts,
        }  # fmt: skip

    async def stop(self) -> None:
        """Everybody goes."""
        self._pump.stop()
        for peer in self._peers:
            await peer.close()


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
