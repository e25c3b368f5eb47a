"""``make run`` as an operator sees it: the real launcher with all of its processes."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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


def descendants(data: Path) -> list[int]:
    """Every process that carries this data folder in its environment or command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
                ended = ") Z " in (entry / "stat").read_text()
            except OSError:
                continue
            if str(data).encode() in text and not ended and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


@contextmanager
def running(data: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = launch("--port", port, "--data", data)
    try:
        yield process, read_until(process, r"/dev/people/")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def refused(*arguments: object) -> str:
    process = launch(*arguments)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(error.strip().splitlines()) == 1, error
    return error


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "data"


@pytest.fixture(scope="module")
def demo(data: Path) -> Iterator[tuple[int, str]]:
    port = free_port()
    with running(data, port) as (_, printed):
        yield port, printed


def test_it_says_where_to_look_and_answers_there(demo):
    port, printed = demo

    assert f"http://localhost:{port}/" in printed
    assert re.search(rf"http://localhost:{port}/v/[\w-]+/", printed)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/dev/people/") as page:
        assert page.status == 200


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


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_second_start_keeps_the_data_and_leaves_no_process(tmp_path, end):
    data = tmp_path / "again"
    with running(data, free_port()):
        pass
    secrets = (data / "secrets.json").read_text()

    with running(data, free_port()) as (process, _):
        assert len(descendants(data)) >= 5
        process.send_signal(end)
        process.wait(30)
    deadline = time.monotonic() + 15
    while descendants(data) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert descendants(data) == []
    assert (data / "secrets.json").read_text() == secrets
