"""Tickets: one opens one socket, once, within seconds after a page of ours has fetched it (PROTOCOL.md).

A browser sends its cookie with every handshake, whoever's page asked for it. A ticket is fetched by a request that no
other site's page can send, or read the answer of, and a handshake that was written down opens nothing later.
"""

import hashlib
import secrets
from uuid import UUID

from django.core.cache import cache

# Without a version: a browser drops a socket that answers with none of what it offered, and a page of another version
# has to hear "welcome", which says so.
SUBPROTOCOL = "telehealth"
LIFE = 30  # seconds, by the clock of Redis, which all processes share


def issue(*, session_id: UUID, path: str) -> str:
    """A new ticket to the socket at ``path``, good in this session alone. Raises RedisError when Redis is away."""
    ticket = secrets.token_urlsafe(32)
    cache.set(_key(ticket, session_id, path), 1, LIFE)
    return ticket


def redeem(subprotocols: list[str], *, session_id: UUID, path: str) -> bool:
    """Whether a handshake offers our protocol with a ticket to this socket in this session. It is used by that.

    Of all who show the same one at the same moment, to whatever process, one hears True: Redis deletes once. Raises
    RedisError when Redis is away.
    """
    if len(subprotocols) != 2 or subprotocols[0] != SUBPROTOCOL:
        return False
    return cache.delete(_key(subprotocols[1], session_id, path))


def _key(ticket: str, session_id: UUID, path: str) -> str:
    """It says what the ticket is good for, and the ticket to nobody who reads Redis."""
    shown = f"{ticket} {session_id} {path}".encode(errors="replace")  # a handshake may hold anything
    return f"socket-ticket:{hashlib.sha256(shown).hexdigest()}"
