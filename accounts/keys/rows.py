"""Going through a table of any size, some rows at a time."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

BATCH = 500


def batches(rows: QuerySet[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """The rows in the order of their keys, at most ``size`` at a time; what changes behind us is not seen again."""
    rows, last = rows.order_by("pk"), None
    while found := list((rows if last is None else rows.filter(pk__gt=last))[:size]):
        yield found
        last = found[-1].pk
