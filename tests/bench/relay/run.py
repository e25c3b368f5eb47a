"""One measurement in a process of its own: start a server, fill its rooms, play, count. Prints a line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
from typing import Any

from tests.bench.relay.load import Load
from tests.bench.relay.servers import LOAD_CORE, SERVERS, server_class, use_core

CLONE_NEWNET = 0x40000000
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
    print(json.dumps(asyncio.run(measure(given, host))))


def own_network() -> str:
    """The address to use: in a network namespace of this process's own if that is allowed, else the machine's.

    The loopback address only if there is no other: three of the servers leave that out of their candidates.
    """
    if os.geteuid() == 0 and shutil.which("ip") and ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0:
        steps = ("link set lo up", "link add bench0 type veth peer name bench1", f"addr add {HOST}/24 dev bench0",
                 "link set bench0 up", "link set bench1 up")  # fmt: skip
        for step in steps:
            subprocess.run(["ip", *step.split()], check=True)
        return HOST
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


async def measure(given: argparse.Namespace, host: str) -> dict[str, Any]:
    """The figures of one run."""
    server = server_class(given.server)(host)
    load = Load(server, given.rooms, given.people, given.gap)
    try:
        await server.start()
        await load.start()
        figures = await load.window(given.seconds)
        await load.stop()
        return figures
    finally:
        await server.stop()


if __name__ == "__main__":
    main()
