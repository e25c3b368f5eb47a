"""When to look for datagrams: at each one while few come, by a timer while many do.

A wake-up costs more than moving a packet, and a system call nearly as much. Under load the port is therefore looked
at every other millisecond, or every one where that is enough for a batch worth its wake-up, which moves whatever came
since in one go. Half of that is added to a packet's way on average.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from visits.relay import kernel

INTERVAL = 0.001  # seconds
PLENTY, FEW = 36, 12  # datagrams in a look: from the first on we look every INTERVAL, up to the second every other one
SMOOTH = 16  # looks that the average is over
IDLE = 3  # looks that found nothing; then the next datagram wakes us


class Pacer:
    """Calls `look` when there may be datagrams on `descriptor`; it says how many there were."""

    def __init__(self, descriptor: int, look: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._look = look
        self._timer = kernel.timer()
        self._idle = 0
        self._every = 2  # intervals between two looks
        self._usual = 0.0  # datagrams found in one
        self.running = False  # whether the timer is, so that we look again within two intervals

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
        self._pace(2)

    def _pace(self, every: int) -> None:
        kernel.set_timer(self._timer, every * INTERVAL)
        self._usual *= every / self._every
        self._every = every
        self.running = True

    def _timed(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it was set anew in between
            os.read(self._timer, 8)
        count = self._look()
        self._usual += (count - self._usual) / SMOOTH
        if count:
            self._idle = 0
            if self._usual > PLENTY and self._every == 2:
                self._pace(1)
            elif self._usual < FEW and self._every == 1:
                self._pace(2)
            return
        self._idle += 1
        if self._idle >= IDLE:
            kernel.set_timer(self._timer, 0)
            self.running = False
            asyncio.get_running_loop().add_reader(self._descriptor, self._woken)
