"""``make run`` as an operator sees it: the real launcher with all of its processes."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from telehealth.launcher import local_relay

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    os.environ.get("TELEHEALTH_TEST_DATABASE") == "postgresql", reason="the launcher brings its own database"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(*arguments: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TELEHEALTH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "telehealth.launcher", *map(str, arguments)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], pattern: str, seconds: float = 120) -> str:
    """What the launcher printed up to the line with ``pattern``."""
    deadline, seen = time.monotonic() + seconds, ""
    while not re.search(pattern, seen):
        line = process.stdout.readline()
        if not line or time.monotonic() > deadline:
            raise AssertionError(f"no {pattern!r} in: {seen}\n{process.stderr.read()}")
        seen += line
    return seen


@contextmanager
def running(data: Path, port: int, end: signal.Signals) -> Iterator[str]:
    """What a launcher printed once it is ready; ``end`` then ends it, and every process that it started."""
    process = launch("--port", port, "--data", data)
    try:
        printed = read_until(process, r"Administration:")
        started = children(process.pid)
        for name in ("valkey", "uvicorn", "visits.relay", "--queues celery", "--queues prompt", "beat"):
            assert any(name in command_line(pid) for pid in started)
        yield printed
    finally:
        process.send_signal(end)
        process.communicate(timeout=30)
    assert process.returncode == (-end if end == signal.SIGKILL else 0)
    deadline = time.monotonic() + 15
    while any(map(command_line, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [command_line(pid) for pid in started if command_line(pid)] == []


def children(pid: int) -> list[int]:
    below = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*below, *(one for child in below for one in children(child))]


def command_line(pid: int) -> str:
    """Empty for a process that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def refused(*arguments: object, status: int = 1) -> str:
    process = launch(*arguments)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status
    assert len(error.strip().splitlines()) == 1, error
    return error


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "data"


@pytest.fixture(scope="module")
def demo(data: Path) -> Iterator[tuple[int, str]]:
    port = free_port()
    with running(data, port, signal.SIGTERM) as printed:
        yield port, printed


def test_it_says_where_to_look_and_answers_there(demo):
    port, printed = demo

    assert f"http://localhost:{port}/" in printed
    assert re.search(rf"http://localhost:{port}/v/[\w-]+/", printed)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/dev/people/") as page:
        assert page.status == 200


def test_a_relay_that_dies_is_started_again(data, demo):
    log = data / "log" / "relay.log"
    started = re.findall(r"^relay relay-[12]\.\w+ on .*$", log.read_text(), re.M)
    assert len(set(started)) == 2
    assert all(f" on {local_relay().get('PUBLIC_IP', '127.0.0.1')}:" in line for line in started)
    [supervisor] = [pid for pid in launched(data) if "telehealth.relays" in command_line(pid)]
    victim = children(supervisor)[0]

    os.kill(victim, signal.SIGKILL)

    deadline = time.monotonic() + 30
    while len(set(re.findall(r"^relay relay-[12]\.\w+ on .*$", log.read_text(), re.M))) < 3:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    assert victim not in children(supervisor)
    assert len(children(supervisor)) == 2


def launched(data: Path) -> list[int]:
    """The processes whose settings name this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if f"TELEHEALTH_DATA={data}".encode() in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def test_a_taken_port_is_one_clear_line(demo, tmp_path):
    port, _ = demo

    assert f"Port {port} cannot be used" in refused("--port", port, "--data", tmp_path / "other")


def test_a_folder_in_use_is_one_clear_line(demo, data):
    assert "in use" in refused("--port", free_port(), "--data", data)


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")

    assert "cannot be used" in refused("--port", free_port(), "--data", tmp_path / "file")


def test_a_broken_database_is_one_clear_line(tmp_path):
    (tmp_path / "telehealth.sqlite3").write_bytes(b"not a database" * 100)

    assert "file is not a database" in refused("--port", free_port(), "--data", tmp_path)


def test_damaged_secrets_are_one_clear_line(tmp_path):
    (tmp_path / "secrets.json").write_text("{")

    assert "damaged" in refused("--port", free_port(), "--data", tmp_path)


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "http"), ("--data", "")])
def test_a_senseless_value_is_one_clear_line(arguments):
    refused(*arguments, status=2)


def test_what_is_killed_leaves_no_process_and_the_next_start_goes_on_from_there(demo, tmp_path):
    """Beside another one, in a folder whose path is too long for a socket."""
    data = tmp_path / "a folder" / ("long" * 30)
    with running(data, free_port(), signal.SIGKILL):
        pass
    before = made(data)
    assert len(before["visits"]) > 100

    with running(data, free_port(), signal.SIGINT):
        after = made(data)

    assert after["secrets"] == before["secrets"]
    assert after["users"] == before["users"]
    assert after["visits"] >= before["visits"]
    assert after["collected"] == before["collected"]


def made(data: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(data / "telehealth.sqlite3")) as database:
        return {
            "secrets": (data / "secrets.json").read_text(),
            "users": set(database.execute("select email, password from accounts_user")),
            "visits": set(database.execute("select id from booking_appointment")),
            "collected": (data / "static" / "staticfiles.json").stat().st_mtime_ns,
        }
