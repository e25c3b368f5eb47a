"""coturn with the configuration of docs/operations.md, but on the loopback interface and without TLS."""

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telehealth.embedded import end_with_parent, stop


def program() -> str | None:
    return shutil.which("turnserver")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def documented() -> list[str]:
    """The lines of the configuration that clinics are told to use."""
    text = (Path(__file__).resolve().parents[1] / "docs/operations.md").read_text()
    [block] = re.findall(r"`/etc/turnserver.conf`:\n\n```\n(.*?)```", text, re.DOTALL)
    return [line for line in block.splitlines() if line and not line.startswith("#")]


@contextmanager
def running(secret: str, relay: str) -> Iterator[int]:
    """A TURN server that takes users of that secret to the address of the relay; its port."""
    port = free_port()
    elsewhere = {"tls-listening-port", "cert", "pkey", "listening-port", "static-auth-secret", "allowed-peer-ip"}
    kept = [line for line in documented() if line.partition("=")[0] not in elsewhere]
    with tempfile.TemporaryDirectory(prefix="th-turn-") as folder:
        here = [
            "listening-ip=127.0.0.1", "relay-ip=127.0.0.1", f"listening-port={port}", f"static-auth-secret={secret}",
            f"allowed-peer-ip={relay}", f"userdb={folder}/turndb", f"pidfile={folder}/pid", "no-tls", "no-dtls",
            "allow-loopback-peers",
        ]  # fmt: skip
        configuration = Path(folder, "turnserver.conf")
        configuration.write_text("\n".join([*kept, *here, ""]))
        process = subprocess.Popen(
            [str(program()), "-c", str(configuration)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent, cwd=folder,
        )  # fmt: skip
        try:
            _wait_for(port, process)
            yield port
        finally:
            stop(process)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "turnserver ended"
            assert time.monotonic() < deadline, "turnserver does not listen"
            time.sleep(0.05)
        else:
            return
