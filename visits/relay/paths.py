"""Which way packets take on this machine: the batched path where it can run, the portable one elsewhere."""

from __future__ import annotations

import contextlib
import socket

from visits.relay import kernel
from visits.relay.config import PATHS, Limits
from visits.relay.counters import Counters
from visits.relay.hooks import in_place
from visits.relay.udp import UdpPort

PORTABLE, BATCHED = PATHS


class PathMissing(Exception):
    """The path that was asked for cannot be taken here."""


def make_port(sock: socket.socket, limits: Limits, counters: Counters, path: str = "") -> UdpPort:
    """A port on the path that was asked for, or on the faster one that this machine has. PathMissing if it has not."""
    srtp = in_place()
    if path != PORTABLE and kernel.libc is not None and srtp is not None:
        with contextlib.suppress(ImportError):  # Numba has no build for each processor
            from visits.relay.batched import BatchedPort

            return BatchedPort(sock, limits, counters, srtp)
    if path == BATCHED:
        raise PathMissing("this machine has no batched path")
    return UdpPort(sock, limits, counters)
