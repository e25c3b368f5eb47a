"""Real concurrency: several threads at the database at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls return, each made in a thread of its own; what one raises is raised."""
    barrier = Barrier(len(calls))

    def call(one: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return one()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))
