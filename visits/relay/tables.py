"""What the compiled loop knows of streams: a row for each, and for each of their receivers and shapes. No I/O.

All numbers are wide enough for what is reckoned with them, signed where there is a choice: Numba makes floats of what
is signed here and unsigned there. Rows keep together what one packet needs: a node has hundreds of streams, each of
them silent for most of a batch, and what is not in the processor's cache costs more than any step.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy
from numba import int64

from visits.relay import rtp
from visits.relay.compiling import compiled
from visits.relay.shapes import Shape

MAX_ROUTES = 4096  # of a node
MAX_LANES = 9  # receivers of one stream
MAX_SHAPES = 1000  # of all streams
OWN_SHAPES = 8  # of one stream; what has more is sent by somebody who wants to be expensive
OWN_SSRCS = 8  # under which one peer reports: browsers use those of what they send
MAX_RECEIVED = 16  # slots of one peer
REPORTS = -1  # in place of an SSRC: the row of what a peer reports, in `participants`
WORDS = 16  # of one header, behind the fixed part
PLACES = 2 * MAX_ROUTES  # of the index, a power of two
FIRST_WORD = rtp.HEADER.size // 4

ROUTE = numpy.dtype(
    [
        ("sender", "i8"),  # address word (mmsg.py)
        ("ssrc", "i8"),
        ("inward", "i8"),  # address of libsrtp's context for what the publisher sends
        ("purse", "i8"),  # address of Peer.purse
        ("allowance", "i8"),  # and of what it may still send of this kind
        ("arrivals", "i8"),  # address of Arrivals.book
        ("outward", "i8"),  # address of libsrtp's context for what the publisher is told
        ("reported", "i8"),  # the SSRC that it is told about, as a word of a packet
        ("heard", "i8"),  # address of Reception.heard
        ("lanes", "i8"),  # how many
        ("known", "i8"),  # shapes, the newest first
        ("shapes", "i2", (OWN_SHAPES,)),
        # What it has moved since it is there, and the last packet:
        ("moved", "i8"),  # packets
        ("missed", "i8"),  # sequence numbers that did not come
        ("octets", "i8"),  # of payload
        ("frame", "i8"),  # the first bytes of the payload that ended the last picture; 0 once that is settled
        ("expected", "i8"),  # sequence number of the next packet
        ("timestamp", "i8"),
        ("at", "f8"),  # when it came
    ],
    align=True,
)
BOOKS_AT = ROUTE.fields["moved"][1]  # type: ignore[index]
LANE = numpy.dtype(
    [
        ("outward", "i8"),  # address of libsrtp's context for the receiver
        ("destination", "i8"),  # address word
        ("sent", "i8"),  # address of Sent.references
        ("ssrc", "i8"),  # as a word of a packet
        ("payload_type", "i8"),
        ("sequence_offset", "i8"),
        ("timestamp_offset", "i8"),
        ("moves", "i8"),  # whether the VP8 descriptor is to be renumbered
        ("picture_offset", "i8"),
        ("base_offset", "i8"),
        ("reported", "i8"),  # address of Reported.book
        # What the slot sent before the route was there, or beside it:
        ("packets", "i8"),
        ("octets", "i8"),
    ],
    align=True,
)
COUNTS_AT = LANE.fields["packets"][1]  # type: ignore[index]
PARTICIPANT = numpy.dtype(
    [
        ("inward", "i8"),  # address of libsrtp's context for what it sends
        ("purse", "i8"),  # address of Peer.purse
        ("line", "i8"),  # address of Line.book
        ("losses", "i8"),  # address of Losses.book
        ("known", "i8"),  # how many SSRCs it reports under
        ("ssrcs", "i8", (OWN_SSRCS,)),
        ("slots", "i8"),  # how many
        ("slot_ssrcs", "i8", (MAX_RECEIVED,)),  # their SSRCs, as words of a packet
        ("books", "i8", (MAX_RECEIVED,)),  # addresses of Reported.book
        ("pictures", "i8", (MAX_RECEIVED,)),  # whether it is one of those
    ],
    align=True,
)
SHAPE = numpy.dtype(
    [
        ("head", "i4"), ("start", "i4"), ("arrival_at", "i4"), ("count", "i4"),
        ("masks", "u4", (WORDS,)), ("values", "u4", (WORDS,)),
    ],
    align=True,
)  # fmt: skip
REWRITE = numpy.dtype([("clock_at", "i4"), ("keeps", "u4", (WORDS,)), ("puts", "u4", (WORDS,))], align=True)


@compiled
def home(sender: int, ssrc: int) -> int:
    """Where in the index the search for a stream begins. Of an address word port and host differ between people."""
    return (sender >> 16 ^ sender >> 40 ^ ssrc ^ ssrc >> 13) & PLACES - 1


@compiled
def find(index: Any, routes: Any, sender: int, ssrc: int) -> int:
    """The row of a stream, -1 if it has no route."""
    at = home(sender, ssrc)
    while True:
        row: int = int64(index[at]) - 1
        if row < 0 or (routes[row].sender == sender and routes[row].ssrc == ssrc):
            return row
        at = at + 1 & PLACES - 1


class Tables:
    """All rows. Pages of them that were never used cost no memory."""

    def __init__(self) -> None:
        self.index = numpy.zeros(PLACES, "i4")  # row + 1; open addressing, without gaps between a stream and its home
        self.routes = numpy.zeros(MAX_ROUTES, ROUTE)
        self.books = memoryview(self.routes.view("u1"))  # type: ignore[arg-type]
        self.lanes = numpy.zeros((MAX_ROUTES, MAX_LANES), LANE)
        self.counts = memoryview(self.lanes.view("u1").reshape(-1))  # type: ignore[arg-type]
        self.participants = numpy.zeros(MAX_ROUTES, PARTICIPANT)
        self.shapes = numpy.zeros(MAX_SHAPES, SHAPE)
        self.rewrites = numpy.zeros((MAX_SHAPES, MAX_LANES), REWRITE)
        self._free = list(range(MAX_ROUTES - 1, -1, -1))
        self._unused = list(range(MAX_SHAPES - 1, -1, -1))
        self._numbers: dict[Shape, int] = {}
        self._held: dict[int, Shape] = {}
        self._holders: Counter[Shape] = Counter()

    def find(self, sender: int, ssrc: int) -> int:
        """The row of a stream, or of REPORTS; -1 if there is none."""
        return int(find(self.index, self.routes, sender, ssrc))

    def add(self, sender: int, ssrc: int) -> int | None:
        """A row for a stream that has none, with nothing else in it; None if there is none left."""
        if not self._free:
            return None
        row = self._free.pop()
        self.routes[row] = numpy.zeros((), ROUTE)
        self.routes[row]["sender"], self.routes[row]["ssrc"] = sender, ssrc
        self._enter(row)
        return row

    def remove(self, row: int) -> None:
        """Find the row no more, and use it again."""
        at = self._place(row)
        self.index[at] = 0
        self._free.append(row)
        while (other := int(self.index[at := at + 1 & PLACES - 1])) > 0:  # what lies behind may have to come nearer
            self.index[at] = 0
            self._enter(other - 1)

    def _place(self, row: int) -> int:
        at = self._home(row)
        while self.index[at] != row + 1:
            at = at + 1 & PLACES - 1
        return at

    def _enter(self, row: int) -> None:
        at = self._home(row)
        while self.index[at]:
            at = at + 1 & PLACES - 1
        self.index[at] = row + 1

    def _home(self, row: int) -> int:
        return int(home(int(self.routes[row]["sender"]), int(self.routes[row]["ssrc"])))

    def hold(self, shape: Shape) -> int | None:
        """The number of a shape, the same for all streams that have it, until it is released as often as it was held.

        None if there is none left, or its header is longer than a row.
        """
        if shape.start // 4 - FIRST_WORD > WORDS or len(shape.rewrites) > MAX_LANES:
            return None
        number = self._numbers.get(shape)
        if number is None:
            if not self._unused:
                return None
            number = self._numbers[shape] = self._unused.pop()
            self._write(number, shape)
        self._holders[shape] += 1
        self._held[number] = shape
        return number

    def release(self, number: int) -> None:
        """Need the shape with that number no more."""
        shape = self._held[number]
        self._holders[shape] -= 1
        if not self._holders[shape]:
            del self._holders[shape], self._numbers[shape], self._held[number]
            self._unused.append(number)

    def _write(self, number: int, shape: Shape) -> None:
        masks, values = numpy.zeros((2, WORDS), "u4")
        for at, mask, value in shape.checks:
            masks[at - FIRST_WORD], values[at - FIRST_WORD] = mask, value
        count = shape.start // 4 - FIRST_WORD
        self.shapes[number] = shape.head, shape.start, shape.arrival_at, count, masks, values
        for lane, rewrite in enumerate(shape.rewrites):
            keeps, puts = numpy.full(WORDS, 0xFFFFFFFF, "u4"), numpy.zeros(WORDS, "u4")
            for at, keep, put in rewrite.changes:
                keeps[at - FIRST_WORD], puts[at - FIRST_WORD] = keep, put
            self.rewrites[number, lane] = rewrite.clock_at, keeps, puts
