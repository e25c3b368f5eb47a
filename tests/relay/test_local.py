"""A socket that hears this machine only."""

import os
import shutil
import socket
import subprocess

import pytest

from visits.relay.local import own_address
from visits.relay.udp import bind


def test_it_is_reached_at_the_address_of_the_machine() -> None:
    host = own_address()
    if host is None:
        pytest.skip("NOT RUN: no address besides loopback")
    with bind(host, 0, local_only=True) as heard, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sent:
        heard.setblocking(True)
        heard.settimeout(10)
        sent.sendto(b"here", heard.getsockname())
        assert heard.recv(10) == b"here"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="NOT RUN: needs root and ip")
def test_but_not_from_the_network() -> None:
    there = f"th{os.getpid()}local"
    near, far, device = "10.78.0.1", "10.78.0.2", f"th{os.getpid() % 10**7}"
    run("ip", "netns", "add", there)
    try:
        run("ip", "link", "add", device, "type", "veth", "peer", "name", "there", "netns", there)
        run("ip", "addr", "add", f"{near}/30", "dev", device)
        run("ip", "link", "set", device, "up")
        run("ip", "-n", there, "addr", "add", f"{far}/30", "dev", "there")
        run("ip", "-n", there, "link", "set", "there", "up")
        with bind(near, 0) as all_heard, bind(near, 0, local_only=True) as local_heard:
            for sock in (local_heard, all_heard):
                sock.setblocking(True)
                sock.settimeout(10)
                to = f"/dev/udp/{near}/{sock.getsockname()[1]}"
                run("ip", "netns", "exec", there, "bash", "-c", f"echo there > {to}")
            assert all_heard.recv(10) == b"there\n"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sent:
                sent.sendto(b"here", local_heard.getsockname())
            assert local_heard.recv(10) == b"here"
    finally:
        run("ip", "netns", "del", there)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
