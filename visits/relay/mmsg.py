"""Many datagrams in one system call: an inbox that fills places of the ring, an outbox that sends from them.

The message headers are few and used again for every batch. `names` hold socket addresses, as one 64-bit word
each (family, port, IPv4 address: see `address_word`), so that a packet's sender is one dictionary key.
"""

from __future__ import annotations

import errno
import socket
import struct
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from visits.relay.kernel import NONBLOCK, NULL, SOCKADDR, ffi, last_error, libc
from visits.relay.ring import Ring

BATCH = 64  # datagrams in one call
_SOCKADDR = struct.Struct("=HH4s")


@lru_cache(4096)
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
        self.names = self._words(self._names, "Q")[:: SOCKADDR // 8]
        vectors = self._words(self._vectors, "Q")
        self.addresses, self.sizes = vectors[0::2], vectors[1::2]

    def _words(self, memory: Any, size: str) -> memoryview:
        return memoryview(ffi.buffer(memory)).cast("B").cast(size)  # type: ignore[call-overload, no-any-return]


class Inbox(_Box):
    """Receives BATCH datagrams at most into the ring: their senders in `names`, how long they are in `lengths`."""

    def __init__(self, ring: Ring, longest: int) -> None:
        super().__init__(BATCH)
        step, at = ffi.sizeof("struct mmsghdr") // 4, ffi.offsetof("struct mmsghdr", "msg_len") // 4
        self.lengths = self._words(self._messages, "I")[at::step]
        self._ring = ring
        self.sizes[:] = array("Q", [longest + 1]) * BATCH  # so that a datagram that is too long shows

    def receive(self, descriptor: int, first: int) -> int:
        """Fill places of the ring from `first` on; how many it were. -1: an error other than that nothing is there."""
        self.addresses[:] = memoryview(self._ring.addresses)[first : first + BATCH]
        count: int = libc.recvmmsg(descriptor, self._messages, BATCH, NONBLOCK, NULL)
        if count < 0:
            return 0 if last_error() in (errno.EAGAIN, errno.EINTR) else -1
        return count


class Outbox(_Box):
    """Sends datagrams that lie in the ring, and copies of others (`mail`), in the order in which it got them."""

    def __init__(self, ring: Ring, size: int) -> None:
        super().__init__(size)
        self._ring = ring
        self.count = 0  # that wait to be sent
        self.calls = 0
        self._room = ring.stride
        self._letters = ffi.new("char[]", BATCH * self._room)
        self._paper = self._words(self._letters, "B")
        self._mailed = 0
        self._mail_address = int(ffi.cast("uintptr_t", self._letters))

    def put(self, first: int, names: Sequence[int]) -> None:
        """Take up the packets in the ring's places from `first` on, one for each name."""
        at, count = self.count, len(names)
        self.count = end = at + count
        self.names[at:end] = array("Q", names)
        self.addresses[at:end] = memoryview(self._ring.addresses)[first : first + count]
        self.sizes[at:end] = self._ring.sizes[first : first + count]

    def mail(self, datagram: bytes, name: int) -> bool:
        """Take up a copy of a datagram; False if there is no room for it."""
        at, length = self._mailed * self._room, len(datagram)
        if self._mailed == BATCH or length > self._room:
            return False
        self._paper[at : at + length] = datagram
        count = self.count
        self.names[count], self.addresses[count], self.sizes[count] = name, self._mail_address + at, length
        self._mailed += 1
        self.count += 1
        return True

    def send(self, descriptor: int) -> int:
        """Send what waits; how many were lost, because the buffer is full or the network unreachable."""
        count, at, lost = self.count, 0, 0
        self.count = self._mailed = 0
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
