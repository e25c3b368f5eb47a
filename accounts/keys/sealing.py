"""Sealed values: AES-256-GCM (NIST SP 800-38D) as text, ``e1:<key id>:<base64url of nonce, ciphertext and tag>``.

The place that a value belongs to, its column and row, is authenticated with it: in any other place it does not open.
A nonce is 96 random bits; one key may seal 2^32 values (SP 800-38D §8.3), which no clinic reaches between rotations.
"""

import secrets
from base64 import b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidTag

from accounts.keys import ring

VERSION = "e1"
NONCE = 12  # bytes


class CannotOpen(Exception):
    """A sealed value was changed or moved, or the key of its id is another one than it was sealed with."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place} cannot be opened: it was changed or moved, or its key is not the one of that id.")


def seal(plain: str, place: str) -> str:
    """Encrypt ``plain`` with the first key, for ``place`` alone."""
    key = ring.first()
    nonce = secrets.token_bytes(NONCE)
    sealed = nonce + key.cipher.encrypt(nonce, plain.encode(), _bound(key.id, place))
    return f"{VERSION}:{key.id}:{urlsafe_b64encode(sealed).decode()}"


def open_(token: str, place: str) -> str:
    """What was sealed for ``place``. Raises CannotOpen, ring.UnknownKey."""
    try:
        version, key_id, text = token.split(":")
        sealed = b64decode(text, altchars=b"-_", validate=True)
    except ValueError:
        raise CannotOpen(place) from None
    if version != VERSION:
        raise CannotOpen(place)
    key = ring.by_id(key_id)
    try:
        return key.cipher.decrypt(sealed[:NONCE], sealed[NONCE:], _bound(key_id, place)).decode()
    except (InvalidTag, ValueError):  # ValueError: too short to be one
        raise CannotOpen(place) from None


def prefix(key_id: str) -> str:
    """How every value begins that is sealed with this key."""
    return f"{VERSION}:{key_id}:"


def _bound(key_id: str, place: str) -> bytes:
    return f"{VERSION}:{key_id}:{place}".encode()
