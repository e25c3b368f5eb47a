"""When to look for datagrams: at each one while few come, by a timer while many do.

A wake-up costs more than moving a packet, and a system call nearly as much. Under load the port is therefore looked
at every other millisecond, or every one where that is enough for a batch worth its wake-up, which moves whatever came
since in one go. Half of that is added to a packet's way on average.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from visits.relay import kernel

INTERVAL = 0.001  # seconds
# Datagrams in a look: from the first on we look every INTERVAL, up to the second every other one, once and no more.
PLENTY, FEW = 36, 12
SMOOTH = 16  # looks that the average is over
IDLE = 3  # times in a row that nothing was found; then the next datagram wakes us
STAY = 16  # intervals that the others of the event loop wait at most, while each look finds something


class Pacer:
    """Calls `look` when there may be datagrams on `descriptor`.

    `look` is told how many times in a row it may look, waiting for `timer` in between, and says how often it did, and
    how many datagrams there were.
    """

    def __init__(self, descriptor: int, look: Callable[[int], tuple[int, int]]) -> None:
        self._descriptor = descriptor
        self._look = look
        self.timer = kernel.timer()
        self._idle = 0
        self._every = 2  # intervals between two looks
        self._usual = 0.0  # datagrams found in one
        self.running = False  # whether the timer is, so that we look again within two intervals

    def start(self) -> None:
        """Begin, on the running event loop."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.timer, self._timed)
        loop.add_reader(self._descriptor, self._woken)

    def stop(self) -> None:
        """End for good."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        loop.remove_reader(self.timer)
        self.running = False
        os.close(self.timer)

    def _woken(self) -> None:
        self._look(1)
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._idle = 0
        self._pace(2)

    def _pace(self, every: int) -> None:
        kernel.set_timer(self.timer, every * INTERVAL)
        self._usual *= every / self._every
        self._every = every
        self.running = True

    def _timed(self) -> None:
        os.read(self.timer, 8)
        looks, count = self._look(STAY // self._every if self._usual > FEW else 1)
        if count:
            looks = max(looks, 1)
            self._usual += (count / looks - self._usual) * min(1, looks / SMOOTH)
            self._idle = 0
            if self._usual > PLENTY and self._every == 2:
                self._pace(1)
            elif self._usual < FEW and self._every == 1:
                self._pace(2)
            return
        self._usual -= self._usual / SMOOTH
        self._idle += 1
        if self._idle >= IDLE:
            kernel.set_timer(self.timer, 0)
            self.running = False
            asyncio.get_running_loop().add_reader(self._descriptor, self._woken)
