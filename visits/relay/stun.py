"""ICE-lite: answer authenticated STUN binding requests (RFC 8445 section 2.5, RFC 8489). No I/O.

A check names the peer by our ufrag and proves knowledge of our password; nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass

from visits.relay import hooks

HEADER_BYTES = 20
MAGIC_COOKIE = b"\x21\x12\xa4\x42"
BINDING_REQUEST = b"\x00\x01"
USERNAME = 0x0006
MAX_REQUEST = 548  # bytes; RFC 8489 section 6.1 keeps messages below the smallest path MTU


@dataclass(frozen=True, slots=True)
class Check:
    """A connectivity check that still has to be authenticated with the peer's password."""

    transaction: bytes
    nominates: bool  # carries USE-CANDIDATE
    message: hooks.StunMessage

    def authentic(self, password: str) -> bool:
        """Whether MESSAGE-INTEGRITY was made with `password`."""
        return hooks.stun_authentic(self.message, password.encode())


def looks_like_request(data: bytes) -> bool:
    """Cheap test before any parsing: a binding request whose length field is right."""
    return (
        HEADER_BYTES <= len(data) <= MAX_REQUEST
        and data[:2] == BINDING_REQUEST
        and data[4:8] == MAGIC_COOKIE
        and int.from_bytes(data[2:4], "big") == len(data) - HEADER_BYTES
    )


def ufrag(data: bytes) -> str:
    """Whom a binding request is for, read without parsing the rest; "" if it names nobody."""
    at = HEADER_BYTES
    while at + 4 <= len(data):
        kind, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == USERNAME:
            return data[at + 4 : at + 4 + length].partition(b":")[0].decode("latin-1")
        at += 4 + (length + 3 & ~3)  # attributes are padded to four bytes
    return ""


def parse_check(data: bytes) -> Check:
    """Read a binding request. ValueError if it is malformed or without credentials."""
    message = hooks.parse_stun(data)
    if "MESSAGE-INTEGRITY" not in message.attributes:
        raise ValueError("binding request without credentials")
    return Check(
        transaction=message.transaction_id,
        nominates="USE-CANDIDATE" in message.attributes,
        message=message,
    )


def success(check: Check, address: tuple[str, int], password: str) -> bytes:
    """The binding success response to `check`, reflecting `address`."""
    return hooks.stun_success(check.transaction, address, password.encode())
