"""Relay processes of one machine: as many as wanted, each with a name and port of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telehealth import relays
from tests.relay.conftest import relay_environment

ROOT = Path(__file__).resolve().parents[2]


def test_each_has_a_port_and_a_name_of_its_own() -> None:
    environ = {"TELEHEALTH_RELAY_PROCESSES": "3", "TELEHEALTH_RELAY_PORT": "7100", "TELEHEALTH_RELAY_NODE": "east"}

    made = [
        (one["TELEHEALTH_RELAY_PORT"], one["TELEHEALTH_RELAY_NODE"])
        for one in relays.environments({**environ, "X": "y"})
    ]

    assert made == [("7100", "east-1"), ("7101", "east-2"), ("7102", "east-3")]


def test_by_itself_there_is_one_for_each_core() -> None:
    assert len(relays.environments({})) == os.cpu_count()


@pytest.mark.parametrize("name", ["PROCESSES", "PORT"])
def test_what_is_no_number_is_one_clear_line(name: str) -> None:
    with pytest.raises(SystemExit, match=f"TELEHEALTH_RELAY_{name}"):
        relays.environments({f"TELEHEALTH_RELAY_{name}": "many"})


def test_what_cannot_start_at_all_is_not_tried_again(redis_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "telehealth.relays"], cwd=ROOT, env=relay_environment(redis_url, SECRET="short"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "TELEHEALTH_RELAY_SECRET" in done.stderr


def test_they_end_with_it(redis_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "telehealth.relays"], cwd=ROOT, env=relay_environment(redis_url, PROCESSES="2"),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    below = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(below) == len(set(lines)) == 2

    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in below)


@pytest.fixture
def redis_url() -> str:
    return os.environ["TELEHEALTH_REDIS_URL"] + "?db=7"
