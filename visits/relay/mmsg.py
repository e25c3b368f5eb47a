"""Many datagrams in one system call: an inbox that fills places of the ring, an outbox that sends from them.

The message headers are few and used again for every batch. `names` hold socket addresses, as one 64-bit word
each (family, port, IPv4 address: see `address_word`), so that a packet's sender is one dictionary key.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

from visits.relay.kernel import NONBLOCK, NULL, SOCKADDR, ffi, last_error, libc
from visits.relay.ring import Ring

BATCH = 64  # datagrams in one call
_SOCKADDR = struct.Struct("=HH4s")

LENGTH_STEP = ffi.sizeof("struct mmsghdr") // 4  # `Inbox.lengths`: 32-bit words from one message to the next
LENGTH_AT = ffi.offsetof("struct mmsghdr", "msg_len") // 4
NAME_STEP = SOCKADDR // 8  # `names`: 64-bit words from one to the next
VECTOR_STEP = ffi.sizeof("struct iovec") // 8  # `Outbox.vectors`: address and length, 64 bits each


def address_word(address: tuple[str, int]) -> int:
    """The first 64 bits of the address as the kernel writes it. OSError if it is no IPv4 address."""
    host, port = address
    return int.from_bytes(_SOCKADDR.pack(socket.AF_INET, socket.htons(port), socket.inet_aton(host)), "little")


def word_address(word: int) -> tuple[str, int]:
    """The address of such a word."""
    _, port, host = _SOCKADDR.unpack(word.to_bytes(8, "little"))
    return socket.inet_ntoa(host), socket.ntohs(port)


class _Box:
    """Message headers, each with one vector and one name."""

    def __init__(self, size: int) -> None:
        self._messages = ffi.new("struct mmsghdr[]", size)
        self._vectors = ffi.new("struct iovec[]", size)
        self._names = ffi.new("char[]", size * SOCKADDR)
        for i in range(size):
            header = self._messages[i].msg_hdr
            header.msg_name, header.msg_namelen = self._names + i * SOCKADDR, SOCKADDR
            header.msg_iov, header.msg_iovlen = self._vectors + i, 1
        self.size = size
        self.names = self._words(self._names, "Q")
        self.vectors = self._words(self._vectors, "Q")

    def _words(self, memory: Any, size: str) -> memoryview:
        return memoryview(ffi.buffer(memory)).cast("B").cast(size)  # type: ignore[call-overload, no-any-return]


class Inbox(_Box):
    """Receives BATCH datagrams at most into the ring."""

    def __init__(self, ring: Ring, longest: int) -> None:
        super().__init__(BATCH)
        self.lengths = self._words(self._messages, "I")
        self._ring = ring
        self._bases = self.vectors[0::VECTOR_STEP]
        for i in range(BATCH):
            self._vectors[i].iov_len = longest + 1  # so that a datagram that is too long shows

    def receive(self, descriptor: int, first: int) -> int:
        """Fill places of the ring from `first` on; how many it were. -1: an error other than that nothing is there."""
        self._bases[:] = memoryview(self._ring.addresses)[first : first + BATCH]
        count: int = libc.recvmmsg(descriptor, self._messages, BATCH, NONBLOCK, NULL)
        if count < 0:
            return 0 if last_error() in (errno.EAGAIN, errno.EINTR) else -1
        return count


class Outbox(_Box):
    """Datagrams to be sent: their addresses in `names`, where they lie and how long they are in `vectors`."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.calls = 0

    def send(self, descriptor: int, count: int) -> int:
        """Send the first `count`; how many were lost, because the buffer is full or the network unreachable."""
        at = lost = 0
        while at < count:
            self.calls += 1
            sent: int = libc.sendmmsg(descriptor, self._messages + at, count - at, NONBLOCK)
            if sent > 0:
                at += sent
            elif last_error() == errno.EAGAIN:
                return lost + count - at
            elif last_error() != errno.EINTR:
                at += 1
                lost += 1
        return lost
