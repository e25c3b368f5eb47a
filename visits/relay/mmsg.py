"""Many datagrams in one system call: an inbox that fills places of the ring, an outbox that sends from them.

The message headers are few and used again for every batch. Names are socket addresses, of which the first 64-bit word
says all (family, port, IPv4 address: see `address_word`). What receives and sends is compiled (looking.py).
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache

import numpy

from visits.relay.kernel import SOCKADDR, ffi

BATCH = 64  # datagrams in one call
HEADER = ffi.sizeof("struct mmsghdr")  # bytes
MESSAGE, LENGTH = HEADER // 4, ffi.offsetof("struct mmsghdr", "msg_len") // 4  # 32-bit words
_SOCKADDR = struct.Struct("=HH4s")

COUNT, MAILED, CALLS, LOST, LETTERS, ROOM, WORDS = range(7)  # words of `Outbox.book`


@lru_cache(4096)
def address_word(address: tuple[str, int]) -> int:
    """The first 64 bits of the address as the kernel writes it, a signed number. OSError if it is no IPv4 address."""
    host, port = address
    return int.from_bytes(
        _SOCKADDR.pack(socket.AF_INET, socket.htons(port), socket.inet_aton(host)), "little", signed=True
    )


@lru_cache(4096)
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
        self.address = int(ffi.cast("uintptr_t", self._messages))
        self.names = numpy.frombuffer(ffi.buffer(self._names), "i8")
        self.vectors = numpy.frombuffer(ffi.buffer(self._vectors), "i8")


class Inbox(_Box):
    """For BATCH datagrams at most. How long each is stands in `messages`, at LENGTH of its words."""

    def __init__(self, longest: int) -> None:
        super().__init__(BATCH)
        self.messages = numpy.frombuffer(ffi.buffer(self._messages), "u4")
        self.vectors[1::2] = longest + 1  # so that a datagram that is too long shows


class Outbox(_Box):
    """For datagrams that lie in the ring, which compiled code takes up, and copies of others (`mail`), in their order.

    `array` holds how many wait, how many of them are copies, since the start the calls and what was lost, and where
    the copies lie, with room for so many bytes each.
    """

    def __init__(self, room: int, size: int) -> None:
        super().__init__(size)
        self.array = numpy.zeros(WORDS, "i8")  # for compiled code
        self.book = memoryview(self.array)  # type: ignore[arg-type]  # the same for Python's
        self._letters = ffi.new("char[]", BATCH * room)
        self._paper = memoryview(ffi.buffer(self._letters)).cast("B")
        self.book[LETTERS], self.book[ROOM] = int(ffi.cast("uintptr_t", self._letters)), room

    def mail(self, datagram: bytes, name: int) -> bool:
        """Take up a copy of a datagram; False if there is no room for it."""
        book, length = self.book, len(datagram)
        at = book[MAILED] * book[ROOM]
        if book[MAILED] == BATCH or length > book[ROOM]:
            return False
        self._paper[at : at + length] = datagram
        here = 2 * book[COUNT]
        self.names[here], self.vectors[here], self.vectors[here + 1] = name, book[LETTERS] + at, length
        book[COUNT] += 1
        book[MAILED] += 1
        return True
