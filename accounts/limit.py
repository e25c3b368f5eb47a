"""How often something may happen, counted in Redis."""

from contextlib import suppress

import redis
from django.core.cache import cache


def too_many(key: str, *, times: int, seconds: int) -> bool:
    """Count one more of ``key``; whether it now happened more than ``times`` in ``seconds``.

    False when Redis is away: counting is not worth shutting anybody out.
    """
    key = f"limit:{key}"
    try:
        cache.add(key, 0, seconds)
        return cache.incr(key) > times
    except (redis.RedisError, ValueError):  # ValueError: the count expired between the two
        return False


def spent(key: str, *, times: int, unknown: bool = False) -> bool:
    """Whether ``too_many`` has counted ``key`` ``times`` in its seconds. Counts nothing; ``unknown`` when Redis is
    away."""
    try:
        return int(cache.get(f"limit:{key}", 0)) >= times
    except redis.RedisError:
        return unknown


def give_back(key: str) -> None:
    """Take back what ``too_many`` counted for something that turned out not to count."""
    with suppress(redis.RedisError, ValueError):  # ValueError: the seconds are over
        cache.decr(f"limit:{key}")


def note(key: str, *, seconds: int) -> None:
    """Have ``key`` be ``spent`` once for ``seconds`` from now, however often it was noted before."""
    with suppress(redis.RedisError):
        cache.set(f"limit:{key}", 1, seconds)
