"""Whether a node takes more, judged before quality falls: by counts, processor time, lateness and bitrate."""

from __future__ import annotations

from visits.relay.config import Limits

NEARLY = 0.85  # of a limit: no new rooms, so that who is awaited in the rooms here still finds a place
SHARE = 0.15  # of a new measurement in the mean: some two seconds of beats


class Admission:
    """What the node can still take. Measured with each heartbeat; counts are exact at any time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._cpu = self._late = self._bitrate = 0.0

    def measured(self, *, cpu: float, late: float, bitrate: float) -> None:
        """Take what was measured since the last heartbeat: cores, seconds that the event loop was late, bit/s."""
        self._cpu += SHARE * (cpu - self._cpu)
        self._late += SHARE * (late - self._late)
        self._bitrate += SHARE * (bitrate - self._bitrate)

    @property
    def pressure(self) -> float:
        """How near the node is to what it can do without harm; 1 is there."""
        limits = self.limits
        return max(self._cpu / limits.cpu, self._late / limits.late, self._bitrate / limits.bits_per_second)

    def load(self, rooms: int, peers: int) -> float:
        """What nodes are chosen by: from 0 to 1, or more."""
        return max(self.pressure, rooms / self.limits.max_rooms, peers / self.limits.max_peers)

    def takes_room(self, rooms: int, peers: int) -> bool:
        """Whether a room may begin here."""
        return self.pressure < NEARLY and rooms < self.limits.max_rooms and self.takes_peer(peers)

    def takes_peer(self, peers: int) -> bool:
        """Whether somebody new may enter a room that is here."""
        return self.pressure < 1 and peers < self.limits.max_peers
