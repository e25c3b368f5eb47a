"""ICE-lite: answer authenticated STUN binding requests (RFC 8445 section 2.5, RFC 8489). No I/O.

A check names the peer by our ufrag and proves knowledge of our password; nothing else does. Every peer sends one each
2.5 seconds, for as long as a visit lasts (RFC 7675), so this reads and writes no more than such a check holds: aioice,
which knows all of STUN, takes almost three times as long. tests/relay/test_stun.py holds the two against each other.
"""

from __future__ import annotations

import binascii
import hmac
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER_BYTES = 20
COOKIE = 0x2112A442
BINDING_REQUEST, BINDING_SUCCESS = 0x0001, 0x0101
USERNAME, MESSAGE_INTEGRITY, XOR_MAPPED_ADDRESS, USE_CANDIDATE, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x0025, 0x8028
INTEGRITY_BYTES, FINGERPRINT_BYTES = 24, 8  # of these attributes
FINGERPRINT_XOR = 0x5354554E
IPV4 = 0x01
MAX_REQUEST = 548  # bytes; RFC 8489 section 6.1 keeps messages below the smallest path MTU

_HEADER, _ATTRIBUTE = struct.Struct(">HHI12s"), struct.Struct(">HH")
_ADDRESS = struct.Struct(">HHBBHI")  # with the attribute's head


class Check(NamedTuple):
    """A connectivity check that still has to be authenticated with the peer's password."""

    transaction: bytes
    nominates: bool  # carries USE-CANDIDATE
    signed: bytes  # what MESSAGE-INTEGRITY is made of
    integrity: bytes

    def authentic(self, password: str) -> bool:
        """Whether MESSAGE-INTEGRITY was made with `password` (constant time)."""
        return hmac.compare_digest(self.integrity, hmac.digest(password.encode(), self.signed, "sha1"))


def looks_like_request(data: bytes) -> bool:
    """Cheap test before any parsing: a binding request whose length field is right."""
    if not HEADER_BYTES <= len(data) <= MAX_REQUEST:
        return False
    kind, length, cookie, _ = _HEADER.unpack_from(data)
    return bool(kind == BINDING_REQUEST and cookie == COOKIE and length == len(data) - HEADER_BYTES)


def ufrag(data: bytes) -> str:
    """Whom a binding request is for; "" if it names nobody."""
    for kind, value, length in _attributes(data):
        if kind == USERNAME:
            return data[value : value + length].partition(b":")[0].decode("latin-1")
    return ""


def parse_check(data: bytes) -> Check:
    """Read what `looks_like_request`. ValueError if it is malformed, without credentials, or its FINGERPRINT is wrong.

    What follows MESSAGE-INTEGRITY, but FINGERPRINT, is not authenticated and not heeded (RFC 8489 section 9.1.3).
    """
    nominates, signed, integrity = False, b"", b""
    for kind, value, length in _attributes(data):
        before = value - _ATTRIBUTE.size
        if kind == FINGERPRINT and data[value : value + length] != _fingerprint(data[:before]):
            raise ValueError("STUN message fingerprint does not match")
        if integrity:
            continue
        if kind == MESSAGE_INTEGRITY:
            integrity, signed = data[value : value + length], _of_length(data[:before], INTEGRITY_BYTES)
            if len(integrity) != INTEGRITY_BYTES - _ATTRIBUTE.size:
                raise ValueError("MESSAGE-INTEGRITY is no SHA-1")
        elif kind == USE_CANDIDATE:
            nominates = True
    if not integrity:
        raise ValueError("binding request without credentials")
    return Check(data[8:HEADER_BYTES], nominates, signed, integrity)


def success(check: Check, address: tuple[str, int], password: str) -> bytes:
    """The signed binding success response to `check`, reflecting an IPv4 `address`. OSError if it is none."""
    host = int.from_bytes(socket.inet_aton(address[0]), "big")
    message = _HEADER.pack(BINDING_SUCCESS, 0, COOKIE, check.transaction) + _ADDRESS.pack(
        XOR_MAPPED_ADDRESS, 8, 0, IPV4, address[1] ^ COOKIE >> 16, host ^ COOKIE
    )
    signed = _of_length(message, INTEGRITY_BYTES)
    integrity = hmac.digest(password.encode(), signed, "sha1")
    message += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, len(integrity)) + integrity
    mark = _fingerprint(message)
    return _of_length(message, FINGERPRINT_BYTES) + _ATTRIBUTE.pack(FINGERPRINT, len(mark)) + mark


def _attributes(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Of each attribute its kind, and where its value begins and how long it says to be: that may be too long."""
    at = HEADER_BYTES
    while at + _ATTRIBUTE.size <= len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        yield kind, at + _ATTRIBUTE.size, length
        at += _ATTRIBUTE.size + (length + 3 & ~3)  # they are padded to four bytes


def _of_length(message: bytes, more: int) -> bytes:
    """The message with a header that counts `more` bytes that are still to come."""
    return message[:2] + (len(message) - HEADER_BYTES + more).to_bytes(2, "big") + message[4:]


def _fingerprint(message: bytes) -> bytes:
    """The value of a FINGERPRINT that follows the message (RFC 8489 section 14.7)."""
    return (binascii.crc32(_of_length(message, FINGERPRINT_BYTES)) ^ FINGERPRINT_XOR).to_bytes(4, "big")
