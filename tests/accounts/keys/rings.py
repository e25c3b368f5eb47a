"""Keys for tests."""

from typing import Any

from django.test import override_settings

OLD, NEW, LOST = (("old", bytes(range(32))), ("new", bytes(range(32, 64))), ("lost", bytes(range(64, 96))))


def ring(*keys: tuple[str, bytes]) -> Any:
    """Settings with these keys, the first of which seals."""
    return override_settings(DATA_KEYS=keys)
