"""coturn as docs/operations.md has it, but on the loopback interface and without TLS."""

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


@contextmanager
def running(secret: str, relay: str) -> Iterator[int]:
    """A TURN server that takes users of that secret to the address of the relay; its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="th-turn-") as folder:
        options = {
            "listening-ip": "127.0.0.1", "relay-ip": "127.0.0.1", "listening-port": port, "realm": "telehealth",
            "denied-peer-ip": "0.0.0.0-255.255.255.255", "allowed-peer-ip": relay,
            "static-auth-secret": secret, "userdb": f"{folder}/turndb", "pidfile": f"{folder}/pid",
            "log-file": f"{folder}/log",
        }  # fmt: skip
        flags = ["use-auth-secret", "simple-log", "no-cli", "no-tls", "no-dtls", "no-tcp-relay", "allow-loopback-peers"]
        process = subprocess.Popen(
            [str(program()), "-n", *(f"--{name}={value}" for name, value in options.items()),
             *(f"--{flag}" for flag in flags)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=end_with_parent, cwd=Path(folder),
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
