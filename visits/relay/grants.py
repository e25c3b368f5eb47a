"""Join grants: the web side's signed, short-lived word that one peer may enter one room on one node.

The relay trusts nothing else. A grant names node, room, peer and epoch, so it cannot be used for
another seat or elsewhere, and because an epoch is accepted only once, it cannot be used twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeTimedSerializer

SALT = "telehealth.relay.grant"
MAX_AGE = 30  # seconds
CLOCK_LEEWAY = 5  # seconds that the web machine's clock may run ahead of the relay's
MAX_LENGTH = 1024


class BadGrant(ValueError):
    """The grant is forged, expired or malformed."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may enter which room of which node, and in which copy (epoch)."""

    node: str
    room: str
    peer: str
    epoch: int


def sign_grant(secret: str, *, node: str, room: str, peer: str, epoch: int) -> str:
    """A token that lets `peer` join `room` on `node` as copy `epoch` within MAX_AGE seconds."""
    return URLSafeTimedSerializer(secret, salt=SALT).dumps([node, room, peer, epoch])


def verify_grant(secret: str, token: str, max_age: int = MAX_AGE) -> Grant:
    """The grant in `token`. BadGrant unless it is authentic and at most `max_age` seconds old."""
    if len(token) > MAX_LENGTH:
        raise BadGrant("grant is too long")
    try:
        fields, signed_at = URLSafeTimedSerializer(secret, salt=SALT).loads(token, return_timestamp=True)
    except (BadData, ValueError) as error:  # ValueError: not even text that could be encoded
        raise BadGrant("grant is forged or malformed") from error
    if not -CLOCK_LEEWAY <= time.time() - signed_at.timestamp() <= max_age:
        raise BadGrant("grant has expired")
    match fields:
        case [str(node), str(room), str(peer), int(epoch)]:
            return Grant(node, room, peer, epoch)
    raise BadGrant("grant is malformed")
