"""Network namespaces for the relay and for each browser, and the lines between them. Needs root.

Loss is dropped by nftables where a receiver's packets come in, bandwidth is limited by the kernel (tbf), delay and
changing addresses are the line's (``line.py``).
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from telehealth.embedded import end_with_parent, stop
from tests.e2e.network import line
from tests.room.relay_process import start_relay

RELAY = "10.77.0.1"
_names = itertools.count(1)


def missing() -> str:
    """Why no lab can be built here; "" if it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.access("/dev/net/tun", os.W_OK):
        return "needs /dev/net/tun"
    tools = [tool for tool in ("ip", "tc", "nft") if shutil.which(tool) is None]
    if tools:
        return f"needs {', '.join(tools)}"
    probe = subprocess.run(["ip", "netns", "add", f"th{os.getpid()}probe"], capture_output=True, text=True)
    if probe.returncode:
        return f"no network namespaces: {probe.stderr.strip()}"
    _run("ip", "netns", "del", f"th{os.getpid()}probe")
    return ""


def _run(*command: str, text: str = "") -> None:
    subprocess.run(command, check=True, input=text, text=True, capture_output=True)


class Namespace:
    """One network of its own, with a loopback that is up."""

    def __init__(self, name: str) -> None:
        self.name = f"th{os.getpid()}{name}"
        _run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *command: str) -> None:
        _run("ip", "-n", self.name, *command)

    def run(self, *command: str, text: str = "") -> None:
        _run("ip", "netns", "exec", self.name, *command, text=text)

    def lose(self, device: str, percent: int) -> None:
        """Drop so many of a hundred UDP packets that come in at the device."""
        rule = f'iifname "{device}" meta l4proto udp numgen random mod 100 < {percent} drop' if percent else ""
        table = f"table inet loss_{device}"
        chain = f"chain input {{\ntype filter hook input priority 0\n{rule}\n}}"
        self.run("nft", "-f", "-", text=f"{table}\ndelete {table}\n{table} {{\n{chain}\n}}\n")

    def squeeze(self, device: str, kilobits: int) -> None:
        """Let out so many kbit/s at the device, with a queue of 0.3 s; 0: all there is."""
        if kilobits:
            rate = ("rate", f"{kilobits}kbit", "burst", "4kb", "latency", "300ms")
            self.run("tc", "qdisc", "replace", "dev", device, "root", "tbf", *rate)
        else:
            self.run("tc", "qdisc", "del", "dev", device, "root")

    def close(self) -> None:
        _run("ip", "netns", "del", self.name)


class Lab:
    """The relay in a network of its own."""

    def __init__(self, folder: Path, limits: str = "") -> None:
        self.folder = folder
        self.lines: list[Line] = []
        self.namespace = Namespace("r")
        self.namespace.ip("addr", "add", f"{RELAY}/32", "dev", "lo")
        self.nodes = [self._start(limits)]

    def _start(self, limits: str = "") -> subprocess.Popen[str]:
        return start_relay(limits, address=RELAY, command=("ip", "netns", "exec", self.namespace.name))

    def add_node(self) -> None:
        """One more relay."""
        self.nodes.append(self._start())

    def connect(self, site: str) -> Line:
        """A network for a browser, connected with the relay and the site."""
        connection = Line(self, next(_names) % 200 + 1, int(site.rpartition(":")[2]))
        self.lines.append(connection)
        return connection

    def close(self) -> None:
        for node in self.nodes:
            stop(node)
        for each in self.lines:
            each.close()
        self.namespace.close()


class Line:
    """A browser's way to the relay and to the site; ``chromium`` starts a browser behind it."""

    def __init__(self, lab: Lab, number: int, site: int) -> None:
        self._lab = lab
        self._near = f"wire{number}"
        self.namespace = Namespace(str(number))
        self._process = subprocess.Popen(
            [sys.executable, "-m", line.__name__, self.namespace.name, lab.namespace.name, self._near, str(site)],
            cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
        )  # fmt: skip
        self._answer("ready")
        address = f"10.77.{number}.2"
        self.namespace.ip("addr", "add", f"{address}/24", "dev", line.DEVICE)
        self.namespace.ip("link", "set", line.DEVICE, "up")
        self.namespace.ip("route", "add", "default", "dev", line.DEVICE)
        lab.namespace.ip("link", "set", self._near, "up")
        lab.namespace.ip("route", "add", f"{address}/32", "dev", self._near)
        self.chromium = str(self._wrapper(lab.folder / f"chromium-{number}", "chromium"))

    def _wrapper(self, path: Path, program: str) -> Path:
        path.write_text(f'#!/bin/sh\nexec ip netns exec {self.namespace.name} {program} "$@"\n')
        path.chmod(0o755)
        return path

    def lose(self, *, up: int, down: int) -> None:
        """Percent of the packets that never arrive."""
        self._lab.namespace.lose(self._near, up)
        self.namespace.lose(line.DEVICE, down)

    def squeeze(self, kilobits: int) -> None:
        """So many kbit/s each way; 0: all there is."""
        self._lab.namespace.squeeze(self._near, kilobits)
        self.namespace.squeeze(line.DEVICE, kilobits)

    def tell(self, *command: object) -> None:
        """A command of ``line.py``."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, command)) + "\n")
        self._process.stdin.flush()
        self._answer("done")

    def signal(self, number: int) -> None:
        """To all processes of the browser."""
        command = ["ip", "netns", "pids", self.namespace.name]
        for pid in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split():
            os.kill(int(pid), number)

    def _answer(self, wanted: str) -> None:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer == wanted, f"the line says {answer!r}"

    def close(self) -> None:
        stop(self._process)
        self.namespace.close()
