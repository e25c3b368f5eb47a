"""What is told to a publisher about how its packets arrive at the relay. No I/O.

The browser numbers its packets over all streams, hears of each whether and when it came, and finds out
by itself what its uplink can take (draft-holmer-rmcat-transport-wide-cc-extensions-01). Besides, each
stream has its receiver report (RFC 3550 section 6.4). Times in seconds.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from visits.relay import rtcp
from visits.relay.tracks import Track

MAX_SPAN = 2000  # sequence numbers in one report; after a larger jump the count starts over
MAX_NOTED = 1000  # packets in one report; a flood beyond that is not reported


def at_tick(now: float) -> int:
    """What `Arrivals.noted` has beside the number of a packet that came now."""
    return int(now * rtcp.TICKS) << 16


class Arrivals:
    """What came from one publisher since the last report."""

    def __init__(self) -> None:
        # How many there are, then `at_tick` and the transport-wide sequence number (16 bits) of each packet.
        self.noted = array("q", bytes(8 * (1 + MAX_NOTED)))
        self._next: int | None = None  # first sequence number that was not reported yet
        self._reports = 0

    def note(self, sequence: int, now: float) -> None:
        """A packet with this transport-wide sequence number arrived."""
        count = self.noted[0]
        if count < MAX_NOTED:
            self.noted[count + 1] = at_tick(now) | sequence
            self.noted[0] = count + 1

    def report(self, media_ssrc: int) -> bytes | None:
        """The RTCP packet about what was noted since the last one; None if that is nothing.

        A packet that comes after a report in which it was missing stays missing.
        """
        noted = self.noted[1 : 1 + self.noted[0]]
        if not noted:
            return None
        self.noted[0] = 0
        numbers, ticks = [each & 0xFFFF for each in noted], [each >> 16 for each in noted]
        start = self._next if self._next is not None else numbers[0]
        if numbers == list(range(start, start + len(numbers))):
            return self._tell(media_ssrc, start, range(len(numbers)), ticks)
        came: dict[int, int] = {}
        for sequence, at in zip(numbers, ticks, strict=True):
            ahead = sequence - start & 0xFFFF
            if ahead < MAX_SPAN:
                came.setdefault(ahead, at)
            elif ahead < 0x8000:
                start, came = sequence, {0: at}
        if not came:
            return None
        distances = sorted(came)
        return self._tell(media_ssrc, start, distances, [came[ahead] for ahead in distances])

    def _tell(self, media_ssrc: int, start: int, came: Sequence[int], ticks: Sequence[int]) -> bytes:
        self._next = start + came[-1] + 1 & 0xFFFF
        self._reports += 1
        return rtcp.transport_feedback(media_ssrc, start, self._reports, came, ticks)


class Reception:
    """One stream as the relay received it."""

    def __init__(self) -> None:
        self._start: tuple[int, int] | None = None  # extended sequence number and packets at the first report
        self._highest = 0  # extended
        self._before = (0, 0)  # expected and arrived at the last report
        self.lost = 0  # of the packets between the last two reports, before any repair; in 1/256
        self._sender_report = (0, 0.0)  # middle of its NTP time, and when it came

    def heard(self, ntp: int, now: float) -> None:
        """A sender report of the stream came."""
        self._sender_report = ntp >> 16 & 0xFFFFFFFF, now

    def report(self, track: Track, elsewhere: int, now: float) -> rtcp.ReportBlock | None:
        """The report block, or None before the first packet. `elsewhere` is loss (in 1/256) after the relay."""
        if track.ssrc is None or track.highest is None:
            return None
        if self._start is None:
            self._highest = track.highest
            self._start = self._highest, track.packets
        self._highest += track.highest - self._highest & 0xFFFF
        expected, arrived = self._highest - self._start[0], track.packets - self._start[1]
        more, came = expected - self._before[0], arrived - self._before[1]
        self._before = expected, arrived
        self.lost = min(255, max(0, 256 * (more - came) // more)) if more > 0 else 0
        lost = min(max(0, expected - arrived), 0x7FFFFF)
        ntp, at = self._sender_report
        delay = int((now - at) * 65536) & 0xFFFFFFFF if ntp else 0
        return rtcp.ReportBlock(track.ssrc, max(self.lost, elsewhere) << 24 | lost, self._highest, 0, ntp, delay)
