"""Percentiles of what was counted. Pure."""

from collections.abc import Mapping


def nearest_rank(counts: Mapping[int, int], percent: int) -> int | None:
    """The least value that so many per cent of all do not exceed (the nearest-rank percentile); None of nothing.

    ``counts`` says how often each value came. Values that were rounded before they were counted give the same as
    their percentile rounded: rounding changes no order.
    """
    rank = -(-sum(counts.values()) * percent // 100)
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    return None
