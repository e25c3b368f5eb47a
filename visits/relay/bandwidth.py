"""What a line can take: a receiver's, found out by what it reports; a publisher's, which it finds out itself. No I/O.

Bit rates in bit/s, times in seconds.
"""

from __future__ import annotations

from array import array

FIRST = 5_000_000  # what a line is believed to take until it shows otherwise
BOOT_BITRATE = 2_500_000  # what a publisher may send of one picture; no page sends more
BOOT_SPAN = 2.0  # after the connection: a browser's own ramp is over by then
BOOT_PAUSE = 0.25
REPEAT = 1.0  # between two REMB to one publisher, which may get lost

FALLING = 0.97  # a receiver's estimate that much below its last one: its queue grows
SHORT = 0.95  # share of what is sent at which an estimate is good enough
ROOM = 1.3  # an estimate so far above what is sent has found no end yet
LOSS = 0.10  # more of it, twice in a row, is no accident
HEAVY = 0.25  # so much of it is a queue that overflows: only what came through fits
LOSS_SPAN = 0.5  # seconds that a look at losses covers
LOSS_FLOOR = 150_000  # radio loses without being full: loss alone throttles no further
REPAIRS = 0.25  # share of a line for what is sent again; a line that is full loses that, too
REPAIR_BURST = 0.25  # seconds of it at once
IDLE = 0.5  # who sends less than this share of what it may knows little about the line
IDLE_STEP = 0.7
SILENT = 3.0  # seconds; who estimates says so every second
TRIAL = 4.0  # seconds between two steps up
STUCK = 2.0  # seconds; in a trial an estimate that is short and does not grow for so long says no
GROWTH = 1.05
BLAME = 15.0  # seconds after a step up: trouble is its fault
PAUSE, LONGEST_PAUSE = 8.0, 16.0  # before the next step up, doubled with each that failed
NEVER = float("-inf")
EXPECTED, LOST, SINCE = range(3)  # numbers of `Losses.book`
ESTIMATE, ESTIMATED_AT, ENOUGH, UNWATCHED_FROM = range(4)  # numbers of `Line.book`
STRIKES, STRIKES_WITHIN = 3, 10.0  # so much trouble, while hardly anything is sent, and the picture is paused


class Meter:
    """The rate of a growing count of octets."""

    def __init__(self) -> None:
        self.rate = 0.0  # bit/s
        self._octets = 0
        self._at: float | None = None

    def read(self, octets: int, now: float) -> float:
        """The rate since the last reading but a half second; a new stream has 0."""
        if self._at is None:
            self._octets, self._at = octets, now
        elif now - self._at >= 0.5:
            self.rate = 8 * max(0, octets - self._octets) / (now - self._at)
            self._octets, self._at = octets, now
        return self.rate


class Losses:
    """What share of the pictures got lost on the way to a receiver.

    Browsers report with each NACK, of a few packets or none: one such report says nothing.
    """

    def __init__(self) -> None:
        # Packets that were expected and that got lost, and since when; compiled code enters reports of no loss.
        self.book = array("d", [0.0, 0.0, NEVER])

    def note(self, more: int, fraction: float) -> None:
        """A report on so many packets: `fraction` of them got lost."""
        self.book[EXPECTED] += more
        self.book[LOST] += more * fraction

    def read(self, now: float) -> float | None:
        """The share since the last reading; None if that was just now."""
        expected, lost, since = self.book
        if now - since < LOSS_SPAN:
            return None
        self.book[EXPECTED], self.book[LOST], self.book[SINCE] = 0.0, 0.0, now
        return lost / expected if expected else None


class Line:
    """The way to one receiver, for pictures beside the sound. Down at the first sign of trouble, up step by step.

    A browser's estimate (REMB) counts pictures only and hardly exceeds what it is sent, so room is found only
    by sending more: a step up is a trial, and each one that fails makes the pause before the next longer.
    """

    def __init__(self) -> None:
        self.limit: float = FIRST
        self.used: float = 0.0  # what was given of it; a picture that stands still is sent with less
        self.least: float = 0.0  # what it takes to show anything at all
        self.changed = True  # whether `limit` should be looked at again
        # The receiver's last estimate (0: none yet) and when it came. Compiled code enters those that are ENOUGH, from
        # the time UNWATCHED_FROM on.
        self.book = array("d", [0.0, NEVER, 0.0, float("inf")])
        self._has_room = True
        self._short_since: tuple[float, int] | None = None  # when, and the estimate then
        self._lossy = False
        self._pause = PAUSE
        self._raised_at = self._congested_at = NEVER
        self._used_then = 0.0  # when the trouble began: reports of the same trouble are shares of that
        self._hold_until = 0.0
        self._strikes: list[float] = []
        self._repairs = 0.0  # bits that may be sent again now
        self._repaired_at = NEVER

    def estimated(self, estimate: int, sent: float, now: float) -> None:
        """The receiver estimates its line, while pictures of `sent` go there."""
        before = self.book[ESTIMATE]
        if not before:
            self._raised_at = now  # the beginning is a trial, too
        falling = estimate < before * FALLING
        self.book[ESTIMATE], self.book[ESTIMATED_AT] = max(estimate, 1), now
        self._has_room = estimate >= sent * ROOM
        if estimate >= sent * SHORT or not self._in_trial(now):
            self._short_since = None
        if estimate >= sent * SHORT:
            return
        if falling:
            self._congested(estimate / sent, sent, now)
        elif self._in_trial(now):
            if self._short_since is None or estimate > self._short_since[1] * GROWTH:
                self._short_since = now, estimate
            elif now - self._short_since[0] > STUCK:
                self._short_since = None
                self._congested(max(estimate / sent, IDLE), sent, now)

    def lost(self, fraction: float, sent: float, now: float) -> None:
        """The receiver reports how much of a stream got lost lately (0 to 1)."""
        trial = self._in_trial(now)
        if fraction <= (LOSS / 2 if trial else LOSS):
            self._lossy = False
        elif self._lossy or trial or fraction > HEAVY:
            self._lossy = False
            if self.used > LOSS_FLOOR:
                through = 1 - (fraction if fraction > HEAVY else fraction / 2)
                self._congested(max(through, LOSS_FLOOR / self.used), self.used, now)
        else:
            self._lossy = True

    def affords_repair(self, octets: int, sent: float, now: float) -> bool:
        """Whether a packet of so many octets may be sent again, while pictures of `sent` go there.

        Without a bound a narrow line would be full of repairs, each of them asked for again before it comes.
        """
        fill = REPAIRS * max(min(sent, self.limit), LOSS_FLOOR)
        self._repairs = min(REPAIR_BURST * fill, self._repairs + fill * min(now - self._repaired_at, REPAIR_BURST))
        self._repaired_at = now
        if self._repairs < 8 * octets:
            return False
        self._repairs -= 8 * octets
        return True

    def watch(self, sent: float) -> None:
        """Say from when on, and above which estimate, nothing follows from good reports while pictures of `sent` go."""
        is_calm = self._has_room and not self._lossy and self._short_since is None
        self.book[UNWATCHED_FROM] = self._raised_at + TRIAL if is_calm else float("inf")
        self.book[ENOUGH] = sent * ROOM

    def is_calm(self, now: float) -> bool:
        """Whether all is given that could be, and good reports change nothing."""
        return self.limit >= FIRST and not self.changed and now >= self.book[UNWATCHED_FROM]

    def _in_trial(self, now: float) -> bool:
        return now - self._raised_at < TRIAL

    def _congested(self, share: float, sent: float, now: float) -> None:
        """Only this share of what is sent gets through."""
        if sent < self.used * IDLE:
            share = max(share, IDLE_STEP)
        is_news = now - self._congested_at > 1.0  # what is on its way yet will be reported too
        if is_news:
            self._used_then = self.used
        self._lower(self._used_then * share, now, is_news=is_news)
        if is_news:
            failed = now - self._raised_at < BLAME
            self._pause = min(2 * self._pause, LONGEST_PAUSE) if failed else PAUSE
            self._congested_at = now
        self._hold_until = now + self._pause

    def _lower(self, limit: float, now: float, *, is_news: bool) -> None:
        """Down to the least at first; to nothing only when there is trouble still."""
        if limit < self.least:
            if self.used <= self.least and is_news:
                self._strikes = [at for at in self._strikes if now - at < STRIKES_WITHIN] + [now]
            if len(self._strikes) < STRIKES:
                limit = self.least
            else:
                self._strikes = []
        if limit < self.limit:
            self.limit = limit
            self.changed = True

    def may_rise(self, now: float) -> bool:
        """Whether a step up may be tried now."""
        return now >= self._hold_until and self._has_room

    def rise(self, limit: float, now: float) -> None:
        """Try that much."""
        self.limit = max(self.limit, limit)
        self._raised_at = now
        self._hold_until = now + TRIAL
        self.book[UNWATCHED_FROM] = float("inf")
        self.changed = True

    def is_estimated(self, now: float) -> bool:
        """Whether the receiver tells what it estimates."""
        return now - self.book[ESTIMATED_AT] < SILENT

    def follow(self, now: float) -> None:
        """Take the receiver's growing estimate over, for a publisher that fits its picture to it."""
        estimate = self.book[ESTIMATE]
        if estimate > self.limit and now - self._congested_at > 1.0:
            self.limit = min(estimate, FIRST)
