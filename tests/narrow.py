"""A line between one page and the relay that can be made narrow: a UDP proxy with a bottleneck each way."""

from __future__ import annotations

import asyncio
import threading
import time

OVERHEAD = 28  # bytes of IP and UDP around each datagram


class Way:
    """One direction: `rate` in bit/s (None: unlimited), and a queue of `patience` seconds, beyond which it drops."""

    def __init__(self) -> None:
        self.rate: float | None = None
        self.patience = 0.3
        self.carried = 0  # bytes
        self.dropped = 0  # datagrams
        self._free_at = 0.0

    def pass_on(self, data: bytes, deliver) -> None:
        now = time.monotonic()
        if self.rate is None:
            self.carried += len(data)
            deliver(data)
            return
        begins = max(now, self._free_at)
        if begins - now > self.patience:
            self.dropped += 1
            return
        self._free_at = begins + 8 * (len(data) + OVERHEAD) / self.rate
        self.carried += len(data)
        asyncio.get_running_loop().call_later(self._free_at - now, deliver, data)


class _Side(asyncio.DatagramProtocol):
    def __init__(self, take) -> None:
        self.take = take

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        self.take(data, addr)

    def error_received(self, exc) -> None:
        """An ICMP error: one side is gone; so be it."""


class Line:
    """A proxy in front of the relay for one page. `port` is where the page sends to."""

    def __init__(self) -> None:
        self.up, self.down = Way(), Way()
        self.port = 0
        self._page = None

    async def open(self, relay: tuple[str, int]) -> Line:
        """Start between a free port of the loopback interface and `relay`."""
        loop = asyncio.get_running_loop()
        _, self._outer = await loop.create_datagram_endpoint(lambda: _Side(self._from_page), ("127.0.0.1", 0))
        _, self._inner = await loop.create_datagram_endpoint(lambda: _Side(self._from_relay), remote_addr=relay)
        self.port = self._outer.transport.get_extra_info("sockname")[1]
        return self

    def _from_page(self, data, address) -> None:
        self._page = address
        self.up.pass_on(data, self._inner.transport.sendto)

    def _from_relay(self, data, _address) -> None:
        if self._page is not None:
            self.down.pass_on(data, lambda each: self._outer.transport.sendto(each, self._page))

    def close(self) -> None:
        self._outer.transport.close()
        self._inner.transport.close()


class LineThread:
    """Lines for tests without a loop of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._lines: list[Line] = []

    def line(self, relay: tuple[str, int]) -> Line:
        """A line that is open; `rate` of its ways may be set at any time."""
        self._lines.append(asyncio.run_coroutine_threadsafe(Line().open(relay), self._loop).result())
        return self._lines[-1]

    def close(self) -> None:
        for line in self._lines:
            self._loop.call_soon_threadsafe(line.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
