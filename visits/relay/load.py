"""What the node's work costs: processor time, batches and lateness, since they were last asked for."""

from __future__ import annotations

import time
from typing import Any

from visits.relay.counters import Counters


class Load:
    """Facts for the pulse, by which rooms are placed and an operator sees how the node is."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._late = 0.0
        self._last = self._now()

    def _now(self) -> dict[str, float]:
        counted = {name: self._counters[name] for name in ("forwarded", "received", "batches")}
        return {"cpu": time.process_time(), "at": time.monotonic(), **counted}

    def woke(self, late: float) -> None:
        """A timer went off `late` seconds after its time: as long as that a packet may have waited, too."""
        self._late = max(self._late, late)

    def facts(self) -> dict[str, Any]:
        """Since the last call: `cpu` (1.0: a whole core), microseconds of it for each forwarded packet,
        datagrams read in one go, the longest delay of the event loop in milliseconds. Since the start:
        processor seconds, and all counters, those of refusals by themselves.
        """
        now, before, late = self._now(), self._last, self._late
        self._last, self._late = now, 0.0
        spent = {name: now[name] - before[name] for name in now}
        refused = {name: self._counters[name] for name in sorted(self._counters.refused)}
        return {
            "cpu": round(spent["cpu"] / max(spent["at"], 0.001), 3),
            "us_per_packet": round(1e6 * spent["cpu"] / spent["forwarded"], 1) if spent["forwarded"] else None,
            "packets_per_batch": round(spent["received"] / spent["batches"], 1) if spent["batches"] else None,
            "loop_lag_ms": round(1000 * late, 1),
            "cpu_seconds": round(now["cpu"], 2),
            "refused": refused,
            "counted": {name: count for name, count in sorted(self._counters.items()) if name not in refused},
        }
