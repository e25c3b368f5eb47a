"""When a publisher's packets arrived, told to it: transport-wide congestion control. No I/O.

The browser numbers its packets over all streams, hears of each whether and when it came, and finds out
by itself what its uplink can take (draft-holmer-rmcat-transport-wide-cc-extensions-01). Times in seconds.
"""

from __future__ import annotations

from visits.relay import rtcp

MAX_SPAN = 2000  # sequence numbers in one report; after a larger jump the count starts over
MAX_NOTED = 1000  # packets between two reports; a flood beyond that is not reported


class Arrivals:
    """What came from one publisher since the last report."""

    def __init__(self) -> None:
        self._noted: list[tuple[int, float]] = []
        self._next: int | None = None  # first sequence number that was not reported yet
        self._reports = 0

    def note(self, sequence: int, now: float) -> None:
        """A packet with this transport-wide sequence number (16 bits) arrived."""
        if len(self._noted) < MAX_NOTED:
            self._noted.append((sequence, now))

    def report(self, media_ssrc: int) -> bytes | None:
        """The RTCP packet about what was noted since the last one; None if that is nothing.

        A packet that comes after a report in which it was missing stays missing.
        """
        noted, self._noted = self._noted, []
        if not noted:
            return None
        start = self._next if self._next is not None else noted[0][0]
        came: dict[int, float] = {}
        for sequence, at in noted:
            ahead = sequence - start & 0xFFFF
            if ahead < MAX_SPAN:
                came.setdefault(ahead, at)
            elif ahead < 0x8000:
                start, came = sequence, {0: at}
        if not came:
            return None
        self._next = start + max(came) + 1 & 0xFFFF
        self._reports += 1
        return rtcp.transport_feedback(media_ssrc, start, self._reports, came)
