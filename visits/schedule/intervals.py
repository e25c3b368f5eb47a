"""Sets of time as lists of stretches: in order, each from its start to before its end, none touching the next.

Pure. The times may be of a wall clock or instants, but not both at once.
"""

from collections.abc import Iterable
from datetime import datetime

Interval = tuple[datetime, datetime]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The time that any of them covers. They may come in any order and overlap."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def common(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """The time that is in both sets."""
    others = list(others)
    pairs = ((max(start, begins), min(end, ends)) for start, end in some for begins, ends in others)
    return [(start, end) for start, end in pairs if start < end]


def minus(some: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """The time of the first set that is not in the second."""
    left = list(some)
    for begins, ends in others:
        parts = (part for start, end in left for part in ((start, min(end, begins)), (max(start, ends), end)))
        left = [(start, end) for start, end in parts if start < end]
    return left
