"""ICE-lite: answer authenticated STUN binding requests (RFC 8445 section 2.5, RFC 8489). No I/O.

A check names the peer by our ufrag and proves knowledge of our password; nothing else does.
"""

from __future__ import annotations

from dataclasses import dataclass

from visits.relay import hooks

HEADER_BYTES = 20
MAGIC_COOKIE = b"\x21\x12\xa4\x42"
BINDING_REQUEST = b"\x00\x01"
MAX_REQUEST = 548  # bytes; RFC 8489 section 6.1 keeps messages below the smallest path MTU


@dataclass(frozen=True, slots=True)
class Check:
    """A connectivity check that still has to be authenticated with the peer's password."""

    ufrag: str
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


def parse_check(data: bytes) -> Check:
    """Read a binding request. ValueError if it is malformed or names nobody."""
    message = hooks.parse_stun(data)
    username = message.attributes.get("USERNAME")
    if not isinstance(username, str) or "MESSAGE-INTEGRITY" not in message.attributes:
        raise ValueError("binding request without credentials")
    return Check(
        ufrag=username.partition(":")[0],
        transaction=message.transaction_id,
        nominates="USE-CANDIDATE" in message.attributes,
        message=message,
    )


def success(check: Check, address: tuple[str, int], password: str) -> bytes:
    """The binding success response to `check`, reflecting `address`."""
    return hooks.stun_success(check.transaction, address, password.encode())
