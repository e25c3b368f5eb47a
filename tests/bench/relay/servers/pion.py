"""Pion, by Debian's Go packages: the forwarding unit of pion/main.go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.relay.build import FOLDER, HERE
from tests.bench.relay.lines import ask, ready
from tests.bench.relay.peer import Peer
from tests.bench.relay.servers import Server, package_version

DEBIAN = Path("/usr/share/gocode")
PACKAGE = "golang-github-pion-webrtc.v3-dev"


class Pion(Server):
    """Nothing but forwarding."""

    title = "Pion, no interceptors"
    arguments: tuple[str, ...] = ()

    @classmethod
    def missing(cls) -> str:
        if not shutil.which("go"):
            return "go"
        return "" if (DEBIAN / "src/github.com/pion/webrtc").exists() else PACKAGE

    @classmethod
    def version(cls) -> str:
        return f"Pion {package_version(PACKAGE)}, {package_version('golang-go')}"

    @classmethod
    def prepare(cls) -> None:
        _program()

    async def start(self) -> None:
        command: list[str | Path] = [_program(), *self.arguments]
        await ready(self.run(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    async def join(self, room: str, seat: int, people: int) -> list[Peer]:
        assert self.process is not None
        peer = Peer(self.host)
        sections = [("audio", "sendonly"), ("video", "sendonly")]
        sections += [("audio", "recvonly"), ("video", "recvonly")] * (people - 1)
        answer = await ask(self.process, room=room, seat=seat, people=people, sdp=peer.offer(sections))
        await peer.take_answer(answer["sdp"])
        return [peer]


class PionDefault(Pion):
    """As Pion comes: with a cache for NACKs and with reports."""

    title = "Pion, default interceptors"
    arguments = ("-interceptors",)


def _program() -> Path:
    # Below a GOPATH, or Go 1.19 does not find the ".../v3" of Debian's packages.
    source, target = FOLDER / "go/src/pion", FOLDER / "pion"
    shutil.copytree(HERE / "pion", source, dirs_exist_ok=True)
    if not target.exists() or target.stat().st_mtime < (source / "main.go").stat().st_mtime:
        paths = {"GO111MODULE": "off", "GOPATH": f"{FOLDER / 'go'}:{DEBIAN}", "GOCACHE": str(FOLDER / "gocache")}
        subprocess.run(["go", "build", "-o", target, "."], cwd=source, env={**os.environ, **paths}, check=True)
    return target
