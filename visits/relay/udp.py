"""The node's one UDP socket: read in batches on every wake-up, written without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time

from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.ingress import Ingress
from visits.relay.local import hear_only_this_machine
from visits.relay.peer import Address

BATCH = 64  # datagrams read before other work of the loop gets its turn
BUFFER = 16 * 1024 * 1024  # bytes asked of the kernel, each way; it may grant fewer
# Linux: beyond the limits that it has for all, for who may administer the network (socket(7)). Python has no names.
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33


def bind(host: str, port: int, *, local_only: bool = False) -> socket.socket:
    """A non-blocking UDP socket on `host` and `port`, that hears all or this machine only. OSError if it cannot be."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for option, beyond in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            if sys.platform == "linux":
                with contextlib.suppress(PermissionError):
                    sock.setsockopt(socket.SOL_SOCKET, beyond, BUFFER)
        if local_only:
            hear_only_this_machine(sock)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class UdpPort:
    """The portable path: hands each datagram to `Ingress` by itself.

    A datagram that cannot be sent now is lost, as in any network.
    """

    name = "portable"

    def __init__(self, sock: socket.socket, limits: Limits, counters: Counters) -> None:
        self._sock = sock
        self._size = limits.datagram + 1  # so that a datagram that is too long shows
        self._counters = counters

    def open(self, ingress: Ingress) -> None:
        """Start reading."""
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._read, ingress)

    def close(self) -> None:
        """Stop reading and free the port."""
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    def send(self, data: bytes, address: Address) -> None:
        """Send a datagram. Raises nothing."""
        try:
            self._sock.sendto(data, address)
        except OSError:  # full buffer, unreachable network, or an ICMP answer to an earlier one
            self._counters.note("send_failed")

    def _read(self, ingress: Ingress) -> None:
        now = time.monotonic()
        self._counters["batches"] += 1
        for _ in range(BATCH):
            try:
                data, source = self._sock.recvfrom(self._size)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error that an earlier datagram of ours caused
                self._counters.note("receive_failed")
                continue
            self._counters["received"] += 1
            ingress.datagram(data, source, now)
