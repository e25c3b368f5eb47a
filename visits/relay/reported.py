"""What the receiver of one slot says about it (RFC 3550 section 6.4). No I/O. Times in seconds."""

from __future__ import annotations

from array import array

from visits.relay.rtcp import ReportBlock

REMEMBERED = 8  # sender reports of a slot that a receiver may still answer, a power of two
HEARD_FOR = 6.0  # a loss of sound, since that is reported every five
WORST_OF = 3.0  # among reports of so long the worst counts
REPORT_LIFE = 12.0  # a receiver that reported nothing for longer says nothing about now; sound is reported every 5 s
MAX_ROUND_TRIP = 60.0  # more is a mistake or a lie

# The numbers of `Reported.book`: when the newest block came and what it says, in its order, how many sender reports
# went out, and of the last of them the middle of the NTP time and when it went.
AT, LOSS, HIGHEST, JITTER, LAST_SR, DELAY, SENT, REPORTS = range(8)
NEVER = float("-inf")


class Reported:
    """Kept by compiled code where the report is an ordinary one (compound.py)."""

    def __init__(self) -> None:
        self.book = array("d", bytes(8 * (REPORTS + 2 * REMEMBERED)))
        self.book[AT] = NEVER
        self._base: tuple[int, int] | None = None  # highest number and lost packets at the last look
        self._loss: float | None = None
        self._round_trip: float | None = None
        self._worst = (0, NEVER)  # share of the packets that were lost, in 1/256, and when that was reported

    def sent(self, ntp: int, now: float) -> None:
        """A sender report with this NTP time went to the receiver.

        The time in it is the publisher's, for lip sync; so the relay remembers when it passed.
        """
        book = self.book
        at = REPORTS + 2 * (int(book[SENT]) & REMEMBERED - 1)
        book[at], book[at + 1] = ntp >> 16 & 0xFFFFFFFF, now
        book[SENT] += 1

    def note(self, block: ReportBlock, now: float) -> int:
        """The receiver's report block came, in the slot's own numbers; how many packets it is about."""
        book = self.book
        more = 1
        if self._base is None or _behind(block.highest, self._base[0]):
            self._base = block.highest, _cumulative(block.loss)
            self._loss = (block.loss >> 24) / 256  # the fraction is all there is to the first one
        else:
            more = max(1, min(block.highest - int(book[HIGHEST]), 1 << 15))
        book[AT], book[LOSS], book[HIGHEST], book[JITTER] = now, block.loss, block.highest, block.jitter
        book[LAST_SR], book[DELAY] = block.last_sr, block.delay
        lost = block.loss >> 24
        if lost and (lost >= self._worst[0] or now - self._worst[1] >= WORST_OF):
            self._worst = lost, now
        return more

    def begin(self) -> None:
        """The slot shows somebody else from now on, whose losses are not known yet."""
        self._worst = (0, NEVER)

    def lost(self, now: float) -> int:
        """What share of the packets, in 1/256, the receiver has missed lately."""
        lost, at = self._worst
        return lost if now - at < HEARD_FOR else 0

    def look(self, clock: int, now: float) -> tuple[float | None, float | None, float | None]:
        """Loss since the last look at which something new was known, jitter and round trip."""
        book, base = self.book, self._base
        if base is None or now - book[AT] > REPORT_LIFE:
            return None, None, None
        highest, cumulative = int(book[HIGHEST]), _cumulative(int(book[LOSS]))
        expected = highest - base[0] & 0xFFFFFFFF
        if expected:
            self._loss = min(max((cumulative - base[1]) / expected, 0.0), 1.0)
            self._base = highest, cumulative
        self._measure()
        round_trip = None if self._round_trip is None else round(self._round_trip, 4)
        return None if self._loss is None else round(self._loss, 4), round(book[JITTER] / clock, 4), round_trip

    def _measure(self) -> None:
        """Take the round trip from the newest block, if that answers a report of ours."""
        book = self.book
        if not book[LAST_SR]:
            return
        for at in range(REPORTS, REPORTS + 2 * min(int(book[SENT]), REMEMBERED), 2):
            if book[at] == book[LAST_SR]:
                round_trip = book[AT] - book[at + 1] - book[DELAY] / 65536
                if round_trip < MAX_ROUND_TRIP:
                    self._round_trip = max(0.0, round_trip)


def _cumulative(loss: int) -> int:
    """The packets lost since the beginning: 24 bits with a sign."""
    lost = loss & 0xFFFFFF
    return lost - 0x1000000 if lost & 0x800000 else lost


def _behind(a: int, b: int) -> bool:
    return (a - b & 0xFFFFFFFF) >= 0x80000000
