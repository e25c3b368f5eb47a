"""What many sockets want to know at the same time, read once for all of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

Key = TypeVar("Key")
Value = TypeVar("Value")


class Readings(Generic[Key, Value]):
    """The last reading of each key, in this process."""

    def __init__(self, read: Callable[[Key], Awaitable[Value]]) -> None:
        self._read = read
        # Tasks belong to their loop.
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Key, tuple[float, asyncio.Task[Value]]]] = (
            WeakKeyDictionary()
        )

    async def get(self, key: Key, *, since: float) -> Value:
        """A reading that began at ``since`` (of ``time.monotonic``) or later. Raises what reading raises."""
        last = self._of_loop.setdefault(asyncio.get_running_loop(), {})
        while True:
            begun, task = last.get(key, (0.0, None))
            if task is not None and begun >= since:
                return await asyncio.shield(task)
            if task is not None and not task.done():
                # It may have missed what happened since; who else waits here shares the next one.
                await asyncio.wait([task])
            else:
                last[key] = time.monotonic(), asyncio.ensure_future(self._begin(key))

    async def _begin(self, key: Key) -> Value:
        return await self._read(key)
