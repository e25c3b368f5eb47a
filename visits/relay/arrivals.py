"""What is told to a publisher about how its packets arrive at the relay. No I/O.

The browser numbers its packets over all streams, hears of each whether and when it came, and finds out
by itself what its uplink can take (draft-holmer-rmcat-transport-wide-cc-extensions-01). Besides, each
stream has its receiver report (RFC 3550 section 6.4). Times in seconds.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from operator import sub

from visits.relay import rtcp
from visits.relay.tracks import Track

MAX_SPAN = 2000  # sequence numbers in one report; after a larger jump the count starts over
MAX_NOTED = 1000  # packets in one report; a flood beyond that is not reported
ONE_STEP = struct.pack("<q", 1)  # between `noted` numbers that follow each other at the same tick


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
        first = noted[0] & 0xFFFF
        if self._next is None:
            self._next = first
        pauses = _pauses(noted) if first == self._next else None
        if pauses is None:
            return self._report_sorted(media_ssrc, noted)
        return rtcp.run_feedback(media_ssrc, first, self._count(first + len(noted)), noted[0] >> 16, pauses)

    def _report_sorted(self, media_ssrc: int, noted: Sequence[int]) -> bytes | None:
        """`report` where some got lost, or came out of their turn or after a pause."""
        start = self._next or 0
        came: dict[int, int] = {}
        for each in noted:
            ahead = (each & 0xFFFF) - start & 0xFFFF
            if ahead < MAX_SPAN:
                came.setdefault(ahead, each >> 16)
            elif ahead < 0x8000:
                start, came = each & 0xFFFF, {0: each >> 16}
        if not came:
            return None
        distances = sorted(came)
        count = self._count(start + distances[-1] + 1)
        return rtcp.vector_feedback(media_ssrc, start, count, distances, [came[ahead] for ahead in distances])

    def _count(self, following: int) -> int:
        """The number of a report that ends before a sequence number."""
        self._next = following & 0xFFFF
        self._reports += 1
        return self._reports


def _pauses(noted: Sequence[int]) -> bytes | None:
    """Ticks between each two packets, if each has the number after the last one's and came in its turn and soon.

    Done by whole columns of bytes, since a node writes hundreds of reports a second: between two such packets lie one
    number and up to 255 ticks.
    """
    steps = bytearray(struct.pack(f"<{len(noted) - 1}q", *map(sub, noted[1:], noted)))
    pauses = bytes(steps[2::8])
    steps[2::8] = bytes(len(pauses))
    return pauses if steps == ONE_STEP * len(pauses) else None


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
