"""The clinic's data keys: the first seals, each opens what it has sealed.

Of each key two kinds of subkeys are made (HKDF, RFC 5869): one that encrypts, and for each column that is searched one
that hashes. So no key does two things, and equal values in two columns have nothing in common.
"""

from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class UnknownKey(Exception):
    """Something is sealed with a key that this process was not given."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"Key {key_id!r} is not among TELEHEALTH_DATA_KEYS.")
        self.key_id = key_id


@dataclass(frozen=True)
class Key:
    id: str
    secret: bytes  # 32 bytes

    @property
    def cipher(self) -> AESGCM:
        return _cipher(self.secret)

    def hashing(self, column: str) -> bytes:
        """The key of HMAC-SHA256 for the values of ``column`` ("app.model.field")."""
        return _derive(self.secret, f"telehealth hash {column}")


def ring() -> tuple[Key, ...]:
    """All keys, the one that seals first."""
    return _ring(settings.DATA_KEYS)


def first() -> Key:
    return ring()[0]


def by_id(key_id: str) -> Key:
    """Raises UnknownKey."""
    for key in ring():
        if key.id == key_id:
            return key
    raise UnknownKey(key_id)


@cache
def _ring(pairs: tuple[tuple[str, bytes], ...]) -> tuple[Key, ...]:
    return tuple(Key(key_id, secret) for key_id, secret in pairs)


@cache
def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(_derive(secret, "telehealth seal"))


@cache
def _derive(secret: bytes, info: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info.encode()).derive(secret)
