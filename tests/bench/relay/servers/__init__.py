"""The servers that are measured, each behind the same four words: why it cannot run, start, join, stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from telehealth.embedded import end_with_parent
from tests.bench.relay.build import FOLDER
from tests.bench.relay.peer import Peer

ROOT = Path(__file__).parents[4]
SERVER_CORE, LOAD_CORE = 0, 1
SERVERS = {
    "batched": "ours.Batched",
    "portable": "ours.Portable",
    "floor": "floor.Floor",
    "pion": "pion.Pion",
    "pion-default": "pion.PionDefault",
    "janus": "janus.Janus",
    "janus-loop": "janus.JanusLoop",
    "stock": "stock.Stock",
}


class Server(ABC):
    """One server process, on a core of its own."""

    title = ""  # in the table
    transcodes = False

    def __init__(self, host: str) -> None:
        self.host = host
        self.process: subprocess.Popen[str] | None = None

    @classmethod
    def missing(cls) -> str:
        """What has to be installed before it can run; "" if nothing."""
        return ""

    @classmethod
    def version(cls) -> str:
        """Name and version of what is not in this repository."""
        return ""

    @classmethod  # noqa: B027 - most have nothing to compile
    def prepare(cls) -> None:
        """Compile what has to be compiled, before anything is measured."""

    @abstractmethod
    async def start(self) -> None:
        """Start it; returns when it can be joined."""

    @abstractmethod
    async def join(self, room: str, seat: int, people: int) -> list[Peer]:
        """Seat one of the room's people; its connected peers."""

    async def settle(self) -> list[Peer]:
        """Called once when everybody has joined; peers that came by it."""
        return []

    async def stop(self) -> None:
        """End the process that was started."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                await asyncio.to_thread(self.process.wait, 5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def run(self, command: Sequence[str | Path], **settings: Any) -> subprocess.Popen[str]:
        """Start a program on the server's core. It ends with this process, whatever happens."""
        with (FOLDER / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, text=True, stderr=log, preexec_fn=_on_server_core, **settings
            )
        return self.process


def server_class(name: str) -> type[Server]:
    """The server of that name; only what is measured is imported."""
    module, _, word = SERVERS[name].partition(".")
    return cast("type[Server]", getattr(importlib.import_module(f"{__name__}.{module}"), word))


def package_version(package: str) -> str:
    """Of a Debian package; "" if it is not installed."""
    query = ["dpkg-query", "--show", "--showformat", "${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout


def _on_server_core() -> None:
    end_with_parent()
    use_core(SERVER_CORE)


def use_core(core: int) -> None:
    """Run on this core only, before all others if that is allowed."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {core})
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    with contextlib.suppress(OSError):
        os.setsid()
    if os.getsid(0) == os.getpid():  # Linux shares out between sessions first, then by priority within each
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text("-20")
