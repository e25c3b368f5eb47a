"""The relay as a process: how it fails to start, and what it does not hold."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telehealth.embedded import end_with_parent
from tests.relay.conftest import ROOT, relay_environment
from visits.relay.udp import bind


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"SECRET": "short"}, "TELEHEALTH_RELAY_SECRET"),
        ({"PORT": "seventy"}, "TELEHEALTH_RELAY_PORT"),
        ({"BIND": "everywhere"}, "TELEHEALTH_RELAY_BIND"),
        ({"LIMITS": "peers=many"}, "TELEHEALTH_RELAY_LIMITS"),
        ({"NODE": "no spaces please"}, "TELEHEALTH_RELAY_NODE"),
        ({"PATH": "shortest"}, "TELEHEALTH_RELAY_PATH"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(redis_url, settings, words):
    status, lines = run_until_it_ends(redis_url, **settings)
    assert (status, len(lines)) == (1, 1)
    assert words in lines[0]
    assert "short" not in lines[0]


def test_a_taken_port_is_one_clear_line(redis_url):
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, lines = run_until_it_ends(redis_url, PORT=port)
    assert (status, len(lines)) == (1, 1)
    assert port in lines[0]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/valkey.sock", "nonsense"])
def test_no_redis_is_one_clear_line(url):
    status, lines = run_until_it_ends(url)
    assert (status, len(lines)) == (1, 1)
    assert "redis" in lines[0].lower()


def run_until_it_ends(redis_url: str, **settings: str) -> tuple[int, list[str]]:
    """The exit status and what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "visits.relay"], cwd=ROOT, env=relay_environment(redis_url, **settings),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("path", ["", "portable", "batched"])
def test_a_node_tells_which_path_packets_take(redis_url, path):
    node = subprocess.Popen(
        [sys.executable, "-m", "visits.relay"], cwd=ROOT, env=relay_environment(redis_url, PATH=path),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent,
    )  # fmt: skip
    assert node.stdout.readline().startswith("relay ")
    node.terminate()
    _, log = node.communicate(timeout=60)
    assert f"packets take the {path or 'batched'} path" in log


async def test_the_process_holds_no_codec_and_spends_no_thread(nodes, client, people):
    node = nodes()
    ann, ben = people("ann"), people("ben")
    await ann.join(client, "room")
    await ben.join(client, "room")
    await ann.sees("ben", 0)
    process = Path(f"/proc/{node.process.pid}")
    libraries = {line.split()[-1] for line in (process / "maps").read_text().splitlines() if ".so" in line}
    assert any("srtp" in name or "pylibsrtp" in name for name in libraries)
    assert [
        name for name in libraries if any(codec in name for codec in ("avcodec", "/av/", "vpx", "opus", "x264"))
    ] == []
    assert len(os.listdir(process / "task")) == 1


async def test_nothing_of_ours_but_the_relay_is_loaded(redis_url):
    script = (
        "import sys; from visits.relay.lean import leave_codecs_out; leave_codecs_out(); import visits.relay.server;"
        "print([m for m in sys.modules if m.split('.')[0] in ('django', 'accounts', 'telehealth')"
        " or m.startswith('visits.') and not m.startswith('visits.relay')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_client_loads_no_media_library():
    script = (
        "import sys, visits.relay.client;"
        "print([m for m in sys.modules if m in ('aiortc', 'av', 'pylibsrtp', 'django')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
