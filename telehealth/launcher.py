"""``make run``: Telehealth with a demo clinic, all processes of it, in one folder.

Starts Valkey, the web server, two media relays, two Celery workers and beat, as production has them,
and ends with all of them. Everything that it keeps lies in the data folder.
"""

import argparse
import base64
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from telehealth.embedded import SOCKET_PATH_BYTES, StartError, end_with_parent, start_valkey, stop, wait_until
from visits.relay.local import own_address

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
CELERY = [PYTHON, "-m", "celery", "-A", "telehealth", "--quiet"]
WORKER = [*CELERY, "worker", "--pool", "threads", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]


class Stopped(Exception):
    """Somebody asked us to end."""


def main() -> int:
    """Run until Ctrl-C. Exit status 0 then, 1 with one line on stderr when something fails."""
    end_with_parent()  # make, which a SIGKILL may end before it can tell us
    parser = Parser(prog="make run", description=__doc__)
    parser.add_argument("--port", type=port_number, default=8000)
    parser.add_argument("--data", type=folder, default=ROOT / ".data")
    options = parser.parse_args()
    _on_end(_stop)
    launcher = Launcher(options.data, options.port)
    try:
        launcher.run()
    except StartError as error:
        print(f"telehealth: {error}", file=sys.stderr)
        return 1
    except Stopped:
        with contextlib.suppress(OSError):  # whoever read us may be gone
            print("\nStopping ...", flush=True)
        return 0
    finally:
        launcher.stop()
    return 0


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage of a program that people start through make."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"telehealth: {message}\n")


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("no folder is named")
    return Path(os.path.expanduser(text)).resolve()


def port_number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number")
    return int(text)


def local_relay() -> dict[str, str]:
    """A relay's settings for the browsers of this machine. Nobody else hears of it, or is heard.

    Not on loopback if the machine has another address: Firefox makes no connection from that one to loopback.
    """
    host = own_address()
    return {"BIND": host, "PUBLIC_IP": host, "LOCAL_ONLY": "yes"} if host else {}


class Launcher:
    """One running Telehealth: its folder, its environment, its processes."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.logs = data / "log"
        self.environment: dict[str, str] = {}
        self.processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._lock: IO[str] | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None

    def run(self) -> None:
        """Start everything, say where to look, and wait. StartError if something fails or ends."""
        self._check_port()
        self._open_folder()
        valkey, redis_url = start_valkey(self._socket_folder())
        self.processes.append(("valkey", valkey))
        self.environment = self._environment(redis_url)
        self._start("relay", PYTHON, "-m", "telehealth.relays")
        print("Preparing the database and the demo clinic ...", flush=True)
        where_to_look = self._prepare()
        self._start("web", PYTHON, "-m", "uvicorn", "telehealth.asgi:application", "--host", "127.0.0.1",
                    "--port", str(self.port), "--ws", "websockets-sansio", "--lifespan", "off",
                    "--no-access-log", "--no-server-header", "--no-proxy-headers",
                    "--log-level", "warning")  # fmt: skip
        wait_until(self._answers, self._process("web"), "The web server", seconds=60, pause=0.2)
        self._start("worker", *WORKER, "--queues", "celery", "--concurrency", "4")
        self._start("prompt", *WORKER, "--queues", "prompt", "--concurrency", "2", "--hostname", "prompt@%h")
        self._start("beat", *CELERY, "beat", "--loglevel", "WARNING", "--pidfile", "",
                    "--schedule", str(self.data / "beat-schedule"))  # fmt: skip
        print(where_to_look, flush=True)
        self._wait()

    def stop(self) -> None:
        """End all processes: Valkey, which the others talk to, last."""
        _on_end(signal.SIG_IGN)
        for _, process in self.processes[1:]:
            process.terminate()
        for _, process in reversed(self.processes):
            stop(process)
        if self._sockets:
            self._sockets.cleanup()

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                other = max(self.port, 1023) % 65535 + 1
                raise StartError(
                    f"Port {self.port} cannot be used ({error.strerror}). Try: make run PORT={other}"
                ) from None

    def _open_folder(self) -> None:
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            self._lock = (self.data / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"{self.data} is in use by another one. Try: make run DATA=/another/folder") from None
        except OSError as error:
            raise StartError(f"The data folder {self.data} cannot be used: {error.strerror}.") from None

    def _socket_folder(self) -> Path:
        """The data folder, unless its path is too long for a socket."""
        if len(bytes(self.data / "valkey.sock")) <= SOCKET_PATH_BYTES:
            return self.data
        self._sockets = tempfile.TemporaryDirectory(prefix="telehealth-")
        return Path(self._sockets.name)

    def _environment(self, redis_url: str) -> dict[str, str]:
        url = f"http://localhost:{self.port}"
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("TELEHEALTH_")},
            **self._secrets(),
            "DJANGO_SETTINGS_MODULE": "telehealth.settings",
            "PYTHONUNBUFFERED": "1",
            "TELEHEALTH_DEMO": "yes",
            "TELEHEALTH_DATA": str(self.data),
            "TELEHEALTH_BASE_URL": url,
            "TELEHEALTH_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "TELEHEALTH_SOCKET_ORIGINS": f"http://127.0.0.1:{self.port}",
            "TELEHEALTH_REDIS_URL": redis_url,
            "TELEHEALTH_RELAY_NODE": "relay",
            "TELEHEALTH_RELAY_PORT": "0",
            "TELEHEALTH_RELAY_PROCESSES": "2",  # so that a visit has somewhere to go
            **{f"TELEHEALTH_RELAY_{name}": value for name, value in local_relay().items()},
        }

    def _secrets(self) -> dict[str, str]:
        """Random keys, each made at the first start that wants it and kept in the data folder."""
        path = self.data / "secrets.json"
        names = ["TELEHEALTH_SECRET_KEY", "TELEHEALTH_RELAY_SECRET", "TELEHEALTH_AUDIT_KEY"]
        data_key = base64.b64encode(secrets.token_bytes(32)).decode()
        try:
            kept = dict(json.loads(path.read_text())) if path.exists() else {}
            new = {name: secrets.token_urlsafe(48) for name in names} | {"TELEHEALTH_DATA_KEYS": f"demo:{data_key}"}
            made = {name: value for name, value in new.items() if name not in kept}
            if made:
                fresh = path.with_suffix(".new")
                with open(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
                    json.dump(kept | made, file)
                fresh.replace(path)
            return {name: str(value) for name, value in (kept | made).items()}
        except (OSError, ValueError, TypeError):
            raise StartError(
                f"{path} is damaged. Restore it, or take another folder: without its keys the data here cannot be read."
            ) from None

    def _prepare(self) -> str:
        """Make the database, the static files and the demo clinic; return what to tell. StartError if it fails."""
        log = self.logs / "prepare.log"
        done = subprocess.run(
            [PYTHON, "-m", "telehealth.prepare"],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, preexec_fn=end_with_parent, check=False,
        )  # fmt: skip
        log.write_text(done.stderr)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise StartError(f"The demo could not be prepared in {self.data}: {last} (see {log})")
        return done.stdout.rstrip()

    def _start(self, name: str, *command: str) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=end_with_parent, start_new_session=True,
            )  # fmt: skip
        self.processes.append((name, process))

    def _process(self, wanted: str) -> subprocess.Popen[bytes]:
        return next(process for name, process in self.processes if name == wanted)

    def _answers(self) -> bool:
        self._check_alive()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz/", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _check_alive(self) -> None:
        for name, process in self.processes:
            if process.poll() is not None:
                raise StartError(f"{name} ended with exit status {process.returncode}: see {self.logs / name}.log")

    def _wait(self) -> NoReturn:
        while True:
            time.sleep(0.5)
            self._check_alive()


def _on_end(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    _on_end(signal.SIG_IGN)
    raise Stopped


if __name__ == "__main__":
    sys.exit(main())
