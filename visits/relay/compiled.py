"""The loop over a batch, compiled by Numba: what the portable path does with a packet of a steady stream, in place.

A packet with a route is decrypted and renumbered where it lies; for each further receiver, a copy in a spare place
is. Each is encrypted again at once and lies in the outbox. Until a packet is known to be ordinary it is looked at and
nothing is changed, so the portable path sees whatever is odd as it came.

Arrays are checked against their bounds. What is reached by an address instead holds for these reasons: libsrtp's
contexts are freed with what `Route` keeps; the books of peers and slots are arrays that never grow, kept by the same
route; a row is removed before its route lets go of anything; and within a book each index is masked or compared.
"""

from __future__ import annotations

from typing import Any

from numba import int64

from visits.relay import compound, mmsg, ring
from visits.relay.compiling import compiled
from visits.relay.machine import call3, read_double, swapped, write_double, write_word
from visits.relay.mmsg import LENGTH, MESSAGE
from visits.relay.reporting import arrived, report
from visits.relay.resend import KEPT
from visits.relay.ring import HEAD
from visits.relay.rtcp import PSFB, RR, RTPFB, SR
from visits.relay.tables import FIRST_WORD, REPORTS, find
from visits.relay.vp8 import BASE, EXTENDED, HAS_BASE, HAS_PICTURE, LONG, LONG_PICTURE, SHORT_PICTURE

LATE = 0x8000  # sequence numbers ahead: half of the circle is behind (RFC 1982)
LATE_COST = 7  # packets, beside the one that it is: whoever replays a packet makes work one by one
SHORTEST_TAG = 10  # bytes that SRTP adds at least (AES_CM_128_HMAC_SHA1_80)
MARKER = 0x80
STUN = 3  # the first byte at most (RFC 7983)

# The words of the loop's book:
(
    PROTECT, UNPROTECT, PROTECT_RTCP, UNPROTECT_RTCP,  # libsrtp's functions
    LONGEST,  # bytes of a datagram
    FIRST, COUNT, NOW, CLOCK, TICK,  # of the batch: place, packets, and when: nanoseconds, abs-send-time, `at_tick`
    OPEN, AT, SPARE,  # whether it is still in work, the next packet of it, the next place for a copy
    DEFERRED, EVENTS, URGENT,  # how many lie in the arrays; whether of what is deferred some cannot wait
    LOOKS, BATCHES, RECEIVED, FORWARDED, FAILED,  # since Python asked
    BOOK,
) = range(22)  # fmt: skip
GAP, OVER_BUDGET, REJECTED, REFUSED, UNTOLD, REPORT_REJECTED = range(6)  # kinds of events
EVENTS_AT_ONCE = 3  # of one packet, at most
DONE, ODD, BEHIND = -1, 0, -3
STRANGE, UNPAID = -1, -2  # instead of a shape's number, as BEHIND


@compiled
def forward(
    memory: Any, words: Any, index: Any, routes: Any, lanes: Any, shapes: Any, rewrites: Any, participants: Any,
    senders: Any, messages: Any, names: Any, vectors: Any, deferred: Any, events: Any,
    places: Any, outbox: Any, book: Any,
) -> int:  # fmt: skip
    """Move the packets of a batch from book[AT] on: DONE, or ODD if that one has a route but must go the portable way,
    BEHIND if it must since it comes after one with a higher number.

    `memory` and `words` are the ring, `places` its book. `senders` and `messages` are of the inbox, `names` and
    `vectors` of the outbox. Packets without a route are left to the caller in `deferred`: place, length (below 0 if it
    is a report that was decrypted) and sender. `events` says what the caller must know of: kind, row, and (GAP) the
    number that was expected and the one that came, (REFUSED) the lane and 0; UNTOLD is a publisher who waits for a
    report of how its packets arrive.
    """
    stride, first = places[ring.STRIDE], book[FIRST]
    base, now = places[ring.BASE], book[NOW] * 1e-9
    while book[AT] < book[COUNT]:
        at = book[AT]
        begin = (first + at) * stride + HEAD
        word = begin // 4
        length = int64(messages[at * MESSAGE + LENGTH])
        row = int64(-1)
        is_rtp = length >= 4 * FIRST_WORD and 128 <= memory[begin] <= 191 and not 192 <= memory[begin + 1] <= 223
        if is_rtp:
            row = find(index, routes, senders[2 * at], swapped(int64(words[word + 2])))
        if row < 0:
            leave(memory, words, first + at, length, senders[2 * at], is_rtp, index, routes, lanes, participants, names,
                  vectors, deferred, events, places, outbox, book)  # fmt: skip
            book[AT] += 1
            continue
        # 1. Is it the next packet of a steady stream, in a shape that is known, and paid for?
        route = routes[row]
        sequence = int64(memory[begin + 2]) << 8 | int64(memory[begin + 3])
        ahead = sequence - route.expected & 0xFFFF
        number = int64(STRANGE)
        if length <= book[LONGEST]:
            number = taken(memory, words, begin, length, ahead, route, shapes)
        if number == UNPAID:
            note(events, book, OVER_BUDGET, row, 0, 0)
            book[AT] += 1
            continue
        if number < 0:
            return BEHIND if number == BEHIND else ODD
        # 2. Decrypt it: from here on it is authentic, or ends here.
        address = base + begin - HEAD
        words[word - HEAD // 4] = length
        if call3(book[UNPROTECT], route.inward, address + HEAD, address):
            note(events, book, REJECTED, row, 0, 0)
            book[AT] += 1
            continue
        if ahead:
            note(events, book, GAP, row, route.expected, sequence)
            route.missed += ahead
            for lane in range(route.lanes):
                pass_over(lanes[row, lane], route.expected, ahead)
        shape = shapes[number]
        enter(memory, words, begin, sequence, route, shape, now)
        tell(memory, begin, route, row, shape, names, vectors, events, outbox, book)
        fan_out(memory, words, first + at, sequence, route, row, lanes[row], shape, rewrites[number], names, vectors,
                events, places, outbox, book)  # fmt: skip
        book[AT] += 1
    return DONE


@compiled
def leave(
    memory: Any, words: Any, place: int, length: int, sender: int, is_rtp: bool, index: Any, routes: Any, lanes: Any,
    participants: Any, names: Any, vectors: Any, deferred: Any, events: Any, places: Any, outbox: Any, book: Any,
) -> None:  # fmt: skip
    """Leave a packet without a route to the caller, but an ordinary report of a participant (compound.py)."""
    begin = place * places[ring.STRIDE] + HEAD
    first, kind = memory[begin], memory[begin + 1]
    row, became = find(index, routes, sender, REPORTS), int64(compound.CLOSED)
    is_report = SR <= kind <= RR and 128 <= first <= 191 and compound.SHORTEST <= length <= book[LONGEST]
    if is_report and row >= 0:
        became = compound.receive(
            words, begin, length, sender, participants[row], index, routes, lanes, names, vectors, places, outbox,
            book[UNPROTECT_RTCP], book[PROTECT_RTCP], book[NOW] * 1e-9,
        )  # fmt: skip
        if became == compound.REJECTED:
            note(events, book, REPORT_REJECTED, row, 0, 0)
        if became in (compound.HANDLED, compound.REJECTED):
            return
    left, opened = book[DEFERRED], became == compound.OPENED
    deferred[left, 0], deferred[left, 2] = place, sender
    deferred[left, 1] = -int64(words[(begin - HEAD) // 4]) if opened else length
    book[DEFERRED] += 1
    is_handshake = first < 128 and (row < 0 or first > STUN)
    book[URGENT] |= is_rtp or opened or is_handshake or RTPFB <= kind <= PSFB


@compiled
def taken(memory: Any, words: Any, begin: int, length: int, ahead: int, route: Any, shapes: Any) -> int:
    """The number of the packet's shape, once its sender has paid for it; UNPAID, BEHIND, STRANGE have paid nothing."""
    budget = read_double(route.purse)
    if budget < 1 or read_double(route.allowance) < length:
        return UNPAID
    if ahead >= LATE:
        return BEHIND if budget >= 1 + LATE_COST else UNPAID
    number: int = recognised(memory, words, begin, length, route, shapes)
    if number < 0:
        return STRANGE
    write_double(route.purse, budget - 1)
    return number


@compiled
def recognised(memory: Any, words: Any, begin: int, length: int, route: Any, shapes: Any) -> int:
    """The number of the packet's shape, -1 if its route has not learned it."""
    head = int64(memory[begin]) << 8 | int64(memory[begin + 1]) & ~MARKER
    for place in range(route.known):
        number: int = int64(route.shapes[place])
        shape = shapes[number]
        if shape.head == head and length >= shape.start + SHORTEST_TAG and fits(words, begin // 4, shape):
            return number
    return -1


@compiled
def fits(words: Any, word: int, shape: Any) -> bool:
    """Whether the packet that begins at a word has the shape behind its fixed header."""
    for place in range(shape.count):
        if words[word + FIRST_WORD + place] & shape.masks[place] != shape.values[place]:
            return False
    return True


@compiled
def enter(memory: Any, words: Any, begin: int, sequence: int, route: Any, shape: Any, now: float) -> None:
    """Enter a packet that was decrypted into the books of its route."""
    route.expected = sequence + 1 & 0xFFFF
    length = int64(words[(begin - HEAD) // 4])
    write_double(route.allowance, read_double(route.allowance) - length)  # or forged packets would use it up
    route.moved += 1
    route.octets += length - shape.start
    route.timestamp = swapped(int64(words[begin // 4 + 1]))
    route.at = now
    if memory[begin + 1] & MARKER:
        payload = (begin + shape.start) // 4
        route.frame = int64(words[payload]) | int64(words[payload + 1]) << 32


@compiled
def tell(
    memory: Any, begin: int, route: Any, row: int, shape: Any, names: Any, vectors: Any, events: Any, outbox: Any,
    book: Any,
) -> None:  # fmt: skip
    """Note that the packet came, if its sender numbers them for that, and tell the sender if it is time."""
    if shape.arrival_at:
        value = begin + shape.arrival_at
        arrived(route.arrivals, book[TICK] | int64(memory[value]) << 8 | int64(memory[value + 1]))
        if not report(route, book[TICK], book[PROTECT_RTCP], names, vectors, outbox):
            note(events, book, UNTOLD, row, 0, 0)


@compiled
def pass_over(lane: Any, sequence: int, count: int) -> None:
    """`Sent.skip`, as far as it concerns what lies in the ring."""
    for ahead in range(min(count, KEPT)):
        write_word(lane.sent + 8 * (sequence + lane.sequence_offset + ahead & KEPT - 1), 0)


@compiled
def fan_out(
    memory: Any, words: Any, place: int, sequence: int, route: Any, row: int, lanes: Any, shape: Any, rewrites: Any,
    names: Any, vectors: Any, events: Any, places: Any, outbox: Any, book: Any,
) -> None:  # fmt: skip
    """Send the packet in a place to each receiver under its slot's numbers: copies first, the last where it lies."""
    stride = places[ring.STRIDE]
    for number in range(route.lanes):
        here, lane = place, lanes[number]
        if number < route.lanes - 1:
            here = book[SPARE]
            book[SPARE] += 1
            copy(words, place * stride // 4, here * stride // 4)
        write(memory, words, here * stride + HEAD, sequence, route, lane, shape, rewrites[number], book[CLOCK])
        seal(words, here, sequence, lane, names, vectors, events, places, outbox, book, row, number)


@compiled
def copy(words: Any, source: int, target: int) -> None:
    """Copy the length and the packet between two places."""
    for word in range(HEAD // 4 + (int64(words[source]) + 3) // 4):
        words[target + word] = words[source + word]


@compiled
def write(
    memory: Any, words: Any, begin: int, sequence: int, route: Any, lane: Any, shape: Any, rewrite: Any, clock: int
) -> None:
    """Write the header of the packet at a byte of the ring as the receiver is to see it."""
    word = begin // 4
    number, stamp = sequence + lane.sequence_offset & 0xFFFF, route.timestamp + lane.timestamp_offset & 0xFFFFFFFF
    second = int64(memory[begin + 1]) & MARKER | lane.payload_type
    words[word] = int64(memory[begin]) | second << 8 | (number >> 8) << 16 | (number & 0xFF) << 24
    words[word + 1], words[word + 2] = swapped(stamp), lane.ssrc
    for place in range(shape.count):
        here = word + FIRST_WORD + place
        words[here] = words[here] & rewrite.keeps[place] | rewrite.puts[place]
    if rewrite.clock_at >= 0:
        here = begin + rewrite.clock_at
        memory[here], memory[here + 1], memory[here + 2] = clock >> 16, clock >> 8 & 0xFF, clock & 0xFF
    if lane.moves:
        renumber(memory, begin + shape.start, lane)


@compiled
def renumber(memory: Any, at: int, lane: Any) -> None:
    """Give the VP8 descriptor at a byte of the ring the slot's numbers: `vp8.read`, then `Numbering.write`."""
    if not memory[at] & EXTENDED:
        return
    present = memory[at + 1]
    at += 2
    if present & HAS_PICTURE:
        if memory[at] & LONG:
            picture = int64(memory[at]) << 8 | int64(memory[at + 1])
            picture = picture + lane.picture_offset & LONG_PICTURE
            memory[at], memory[at + 1] = LONG | picture >> 8, picture & 0xFF
            at += 2
        else:
            memory[at] = int64(memory[at]) + lane.picture_offset & SHORT_PICTURE
            at += 1
    if present & HAS_BASE:
        memory[at] = int64(memory[at]) + lane.base_offset & BASE


@compiled
def seal(
    words: Any, place: int, sequence: int, lane: Any, names: Any, vectors: Any, events: Any, places: Any, outbox: Any,
    book: Any, row: int, number: int,
) -> None:  # fmt: skip
    """Encrypt the packet in a place, put it into the outbox, and note under its number where it is."""
    address = places[ring.BASE] + place * places[ring.STRIDE]
    reference = lane.sent + 8 * (sequence + lane.sequence_offset & KEPT - 1)
    if call3(book[PROTECT], lane.outward, address + HEAD, address):
        note(events, book, REFUSED, row, number, 0)
        write_word(reference, 0)  # it lies there in the clear
        return
    write_word(reference, places[ring.LAP_AT] + place)
    out = outbox[mmsg.COUNT]
    names[2 * out] = lane.destination
    vectors[2 * out], vectors[2 * out + 1] = address + HEAD, words[place * places[ring.STRIDE] // 4]
    outbox[mmsg.COUNT] += 1
    book[FORWARDED] += 1


@compiled
def note(events: Any, book: Any, kind: int, row: int, one: int, other: int) -> None:
    """Let the caller know; of what one packet brings beyond EVENTS_AT_ONCE nothing is noted."""
    at = book[EVENTS]
    if at < len(events):
        events[at, 0], events[at, 1], events[at, 2], events[at, 3] = kind, row, one, other
        book[EVENTS] += 1
