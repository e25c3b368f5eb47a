"""When to look for datagrams: at each one while few come, by a timer while many do.

A wake-up costs more than moving a packet, and a system call nearly as much. Under load the port is therefore looked
at every INTERVAL, which moves whatever came since in one go, and adds half of it to a packet's way on average.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from visits.relay import kernel

INTERVAL = 0.001  # seconds; two are no cheaper: memory and branches are colder after a longer pause
IDLE = 3  # looks that found nothing; then the next datagram wakes us


class Pacer:
    """Calls `look` when there may be datagrams on `descriptor`; it says how many there were."""

    def __init__(self, descriptor: int, look: Callable[[], int], interval: float = INTERVAL) -> None:
        self._descriptor = descriptor
        self._look = look
        self._interval = interval
        self._timer = kernel.timer()
        self._idle = 0
        self.running = False  # whether the timer is, so that we look again within the interval

    def start(self) -> None:
        """Begin, on the running event loop."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._timer, self._timed)
        loop.add_reader(self._descriptor, self._woken)

    def stop(self) -> None:
        """End for good."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        loop.remove_reader(self._timer)
        self.running = False
        os.close(self._timer)

    def _woken(self) -> None:
        self._look()
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._idle = 0
        kernel.set_timer(self._timer, self._interval)
        self.running = True

    def _timed(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._timer, 8)
        if self._look():
            self._idle = 0
            return
        self._idle += 1
        if self._idle >= IDLE:
            kernel.set_timer(self._timer, 0)
            self.running = False
            asyncio.get_running_loop().add_reader(self._descriptor, self._woken)
