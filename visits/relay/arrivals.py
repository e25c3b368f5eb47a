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
LONGEST_PAUSE = 255  # ticks, between two packets of which the second is the next one
EVERY = int(0.19 * rtcp.TICKS) << 16  # between two reports: no more than the clock's turn, which comes for all of them
COUNT, ODD, NEXT, REPORTS, DUE, NOTED = range(6)  # words of `Arrivals.book`
PAUSES = 8 * (NOTED + MAX_NOTED)  # bytes of it


def at_tick(now: float) -> int:
    """What `Arrivals.book` has beside the number of a packet that came now."""
    return int(now * rtcp.TICKS) << 16


class Arrivals:
    """What came from one publisher since the last report."""

    def __init__(self) -> None:
        # How many packets there are, whether any was ODD, the first sequence number that was not reported yet (-1: none
        # was), how many reports there were, and `at_tick` of the time of the next one. Then `at_tick` and the
        # transport-wide sequence number (16 bits) of each packet, and in a byte each the ticks between each two.
        self.book = array("q", bytes(8 * NOTED + 9 * MAX_NOTED))
        self.book[NEXT] = -1
        self._pauses = memoryview(self.book).cast("B")[PAUSES:]

    def note(self, sequence: int, now: float) -> None:
        """A packet with this transport-wide sequence number arrived."""
        book, value = self.book, at_tick(now) | sequence
        count = book[COUNT]
        if count == MAX_NOTED:
            return
        if count:
            last = book[NOTED + count - 1]
            pause = (value >> 16) - (last >> 16)
            if value - last & 0xFFFF == 1 and 0 <= pause <= LONGEST_PAUSE:
                self._pauses[count - 1] = pause
            else:
                book[ODD] = 1
        book[NOTED + count] = value
        book[COUNT] = count + 1

    def is_due(self, now: float) -> bool:
        """Whether there is something to report, and the last report is long enough ago."""
        return self.book[COUNT] > 0 and at_tick(now) >= self.book[DUE]

    def report(self, media_ssrc: int, now: float) -> bytes | None:
        """The RTCP packet about what was noted since the last one; None if that is nothing.

        Compiled code sends it by itself where every packet came in its turn (reporting.py). A packet that comes after
        a report in which it was missing stays missing.
        """
        book = self.book
        count, odd = book[COUNT], book[ODD]
        if not count:
            return None
        book[COUNT] = book[ODD] = 0
        book[DUE] = at_tick(now) + EVERY
        first, tick = book[NOTED] & 0xFFFF, book[NOTED] >> 16
        if odd or book[NEXT] not in {-1, first}:
            return self._report_sorted(media_ssrc, book[NOTED : NOTED + count])
        return rtcp.run_feedback(media_ssrc, first, self._number(first + count), tick, bytes(self._pauses[: count - 1]))

    def _report_sorted(self, media_ssrc: int, noted: Sequence[int]) -> bytes | None:
        """`report` where some got lost, or came out of their turn or after a pause."""
        start = noted[0] & 0xFFFF if self.book[NEXT] < 0 else self.book[NEXT]
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
        count = self._number(start + distances[-1] + 1)
        return rtcp.vector_feedback(media_ssrc, start, count, distances, [came[ahead] for ahead in distances])

    def _number(self, following: int) -> int:
        """The number of a report that ends before a sequence number."""
        self.book[NEXT] = following & 0xFFFF
        self.book[REPORTS] += 1
        return self.book[REPORTS]


class Reception:
    """One stream as the relay received it."""

    def __init__(self) -> None:
        self._start: tuple[int, int] | None = None  # extended sequence number and packets at the first report
        self._highest = 0  # extended
        self._before = (0, 0)  # expected and arrived at the last report
        self._at = float("-inf")  # when that was
        self.lost = 0  # how much of the last second got lost, before any repair; in 1/256
        self.heard = array("d", [0.0, 0.0])  # the last sender report: middle of its NTP time, and when it came

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
        missing = max(0, 256 * (more - came)) / more if more > 0 else 0.0
        # Who was calm until now has lost it just now: receivers say so each second, and are not to be blamed for it.
        self.lost = min(255, int(missing * max(1.0, now - self._at))) if missing else 0
        self._at = now
        lost = min(max(0, expected - arrived), 0x7FFFFF)
        ntp, at = int(self.heard[0]), self.heard[1]
        delay = int((now - at) * 65536) & 0xFFFFFFFF if ntp else 0
        return rtcp.ReportBlock(
            track.ssrc, max(min(255, int(missing)), elsewhere) << 24 | lost, self._highest, 0, ntp, delay
        )
