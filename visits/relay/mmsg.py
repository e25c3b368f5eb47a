"""Many datagrams in one system call: an inbox that fills places of the ring, an outbox that sends from them.

The message headers are few and used again for every batch. Names are socket addresses, of which the first 64-bit word
says all (family, port, IPv4 address: see `address_word`).
"""

from __future__ import annotations

import errno
import socket
import struct
from functools import lru_cache

import numpy

from visits.relay.kernel import NONBLOCK, NULL, SOCKADDR, ffi, last_error, libc
from visits.relay.ring import HEAD, Ring

BATCH = 64  # datagrams in one call
MESSAGE, LENGTH = ffi.sizeof("struct mmsghdr") // 4, ffi.offsetof("struct mmsghdr", "msg_len") // 4  # 32-bit words
_SOCKADDR = struct.Struct("=HH4s")


@lru_cache(4096)
def address_word(address: tuple[str, int]) -> int:
    """The first 64 bits of the address as the kernel writes it, a signed number. OSError if it is no IPv4 address."""
    host, port = address
    return int.from_bytes(
        _SOCKADDR.pack(socket.AF_INET, socket.htons(port), socket.inet_aton(host)), "little", signed=True
    )


def word_address(word: int) -> tuple[str, int]:
    """The address of such a word."""
    _, port, host = _SOCKADDR.unpack(word.to_bytes(8, "little", signed=True))
    return socket.inet_ntoa(host), socket.ntohs(port)


class _Box:
    """Message headers, each with one vector and one name; `names` and `vectors` are those as 64-bit words."""

    def __init__(self, size: int) -> None:
        self._messages = ffi.new("struct mmsghdr[]", size)
        self._vectors = ffi.new("struct iovec[]", size)
        self._names = ffi.new("char[]", size * SOCKADDR)
        for i in range(size):
            header = self._messages[i].msg_hdr
            header.msg_name, header.msg_namelen = self._names + i * SOCKADDR, SOCKADDR
            header.msg_iov, header.msg_iovlen = self._vectors + i, 1
        self.size = size
        self.names = numpy.frombuffer(ffi.buffer(self._names), "i8")
        self.vectors = numpy.frombuffer(ffi.buffer(self._vectors), "i8")


class Inbox(_Box):
    """Receives BATCH datagrams at most into the ring. How long each is stands in `messages`, at LENGTH of its words."""

    def __init__(self, ring: Ring, longest: int) -> None:
        super().__init__(BATCH)
        self.messages = numpy.frombuffer(ffi.buffer(self._messages), "u4")
        self._first = ring.base + HEAD
        self._stride = ring.stride
        self._addresses = self.vectors[0::2]
        self._steps = numpy.arange(BATCH, dtype="i8") * ring.stride
        self.vectors[1::2] = longest + 1  # so that a datagram that is too long shows

    def receive(self, descriptor: int, first: int) -> int:
        """Fill places of the ring from `first` on; how many it were. -1: an error other than that nothing is there."""
        numpy.add(self._steps, self._first + first * self._stride, out=self._addresses)
        count: int = libc.recvmmsg(descriptor, self._messages, BATCH, NONBLOCK, NULL)
        if count < 0:
            return 0 if last_error() in (errno.EAGAIN, errno.EINTR) else -1
        return count


class Outbox(_Box):
    """Sends datagrams that lie in the ring, and copies of others (`mail`), in the order in which it got them.

    The compiled loop does by itself what `put` does.
    """

    def __init__(self, room: int, size: int) -> None:
        super().__init__(size)
        self.count = 0  # that wait to be sent
        self.calls = 0
        self._room = room
        self._letters = ffi.new("char[]", BATCH * room)
        self._paper = memoryview(ffi.buffer(self._letters)).cast("B")
        self._mailed = 0
        self._mail_address = int(ffi.cast("uintptr_t", self._letters))

    def put(self, name: int, address: int, length: int) -> None:
        """Take up what lies at an address, and stays there until it is sent."""
        here = 2 * self.count
        self.names[here], self.vectors[here], self.vectors[here + 1] = name, address, length
        self.count += 1

    def mail(self, datagram: bytes, name: int) -> bool:
        """Take up a copy of a datagram; False if there is no room for it."""
        at, length = self._mailed * self._room, len(datagram)
        if self._mailed == BATCH or length > self._room:
            return False
        self._paper[at : at + length] = datagram
        self.put(name, self._mail_address + at, length)
        self._mailed += 1
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
