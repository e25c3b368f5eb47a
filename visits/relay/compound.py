"""Ordinary compound RTCP packets, handled by compiled code as they come: those in which nobody asks for anything.

A sender report is passed on to the slots that show its stream, with each slot's own timestamp and counts; what a
receiver says of its slots and of its line is written down where Python reads it by its own clock. Everything else is
left to Python, decrypted by then: requests, loss, an estimate that is short or waited for, what is malformed.
`Feedback.receive` says what is done with all of them.

What is known by its address: libsrtp's contexts and the books of a peer and its slots, kept by the `Participant` or
the `Route` whose row they stand in; letters of the outbox, which live as long as the port.
"""

from __future__ import annotations

from typing import Any

from numba import float64, int64

from visits.relay import bandwidth, mmsg, reported, ring
from visits.relay.compiling import compiled
from visits.relay.ingress import RTCP_BYTES
from visits.relay.machine import call3, read_double, read_int, swapped, write_double, write_int, write_word
from visits.relay.peer import HEARD
from visits.relay.reporting import VERSION, mailed, short
from visits.relay.ring import HEAD
from visits.relay.rtcp import AFB_FORMAT, MAX_MESSAGES, PSFB, RR, RTPFB, SR
from visits.relay.sdp import MAX_SLOTS
from visits.relay.tables import MAX_LANES, find

HANDLED, CLOSED, OPENED, REJECTED = range(4)
NOT_ORDINARY = -1

SHORTEST = 12  # bytes: what is shorter is no SRTCP
RECEIVER, SENDER, BLOCK = 2, 7, 6  # words of an RR and of an SR before the blocks, and of a block
REMB = int.from_bytes(b"REMB", "little")


@compiled
def receive(
    words: Any, begin: int, length: int, sender: int, participant: Any, index: Any, routes: Any, lanes: Any,
    names: Any, vectors: Any, places: Any, outbox: Any, unprotect: int, protect: int, now: float,
) -> int:  # fmt: skip
    """Handle the report of a participant that begins at a byte of the ring, and say what became of it.

    HANDLED; CLOSED, it is as it came; OPENED, it was decrypted, its length stands before it, and Python must do the
    rest; REJECTED by libsrtp.
    """
    word = begin // 4
    cost = 1 + length // RTCP_BYTES
    if read_double(participant.purse) < cost or not knows(participant, swapped(int64(words[word + 1]))):
        return CLOSED
    pay(participant, cost)
    address = places[ring.BASE] + begin
    words[word - HEAD // 4] = length
    if call3(unprotect, participant.inward, address, address - HEAD):
        return REJECTED
    size = int64(read_int(address - HEAD))
    cost = weigh(words, word, size, sender, participant, index, routes, outbox, now)
    if cost == NOT_ORDINARY or read_double(participant.purse) < cost:
        return OPENED
    pay(participant, cost)
    write_double(participant.purse + 8 * HEARD, now)
    heed(words, word, size, sender, participant, index, routes, lanes, names, vectors, outbox, protect, now)
    return HANDLED


@compiled
def knows(participant: Any, ssrc: int) -> bool:
    """Whether libsrtp has seen this SSRC of the participant: it keeps state for each one, so they are few."""
    known = False
    for place in range(participant.known):
        known = known or participant.ssrcs[place] == ssrc
    return known


@compiled
def pay(participant: Any, cost: int) -> None:
    """Take it from the participant's budget."""
    write_double(participant.purse, read_double(participant.purse) - cost)


@compiled
def weigh(
    words: Any, word: int, size: int, sender: int, participant: Any, index: Any, routes: Any, outbox: Any, now: float
) -> int:
    """What acting on a decrypted packet of `size` bytes is charged with (feedback.py), or NOT_ORDINARY."""
    losses = participant.losses
    if size & 3 or read_double(losses + 8 * bandwidth.LOST):  # which are still to be looked at
        return NOT_ORDINARY
    if read_double(losses + 8 * bandwidth.EXPECTED) and not is_unwatched(participant, now):
        return NOT_ORDINARY  # as is it that there were none
    stop, cost, letters, messages = word + size // 4, int64(0), int64(0), int64(0)
    while word < stop:
        head = swapped(int64(words[word]))
        kind, count, end = head >> 16 & 0xFF, head >> 24 & 0x1F, word + 1 + (head & 0xFFFF)
        messages += 1
        if head >> 30 != 2 or end > stop or messages > MAX_MESSAGES:
            return NOT_ORDINARY
        more: int = price(words, word, end, kind, count, sender, participant, index, routes, now)
        if more == NOT_ORDINARY:
            return NOT_ORDINARY
        cost += more
        letters += MAX_LANES if kind == SR else 0
        word = end
    return cost if letters <= mmsg.BATCH - outbox[mmsg.MAILED] else NOT_ORDINARY


@compiled
def price(
    words: Any, word: int, end: int, kind: int, count: int, sender: int, participant: Any, index: Any, routes: Any,
    now: float,
) -> int:  # fmt: skip
    """What acting on one message is charged with, or NOT_ORDINARY."""
    if kind == PSFB:
        return 1 if is_ample(words, word, end, count, participant, now) else NOT_ORDINARY
    if kind not in (SR, RR):
        return NOT_ORDINARY if kind == RTPFB else 0
    blocks = word + (SENDER if kind == SR else RECEIVER)
    if blocks + BLOCK * count > end:
        return NOT_ORDINARY
    if kind == SR and find(index, routes, sender, swapped(int64(words[word + 1]))) < 0:
        return NOT_ORDINARY
    for number in range(count):
        if not is_good(words, blocks + BLOCK * number, participant, now):
            return NOT_ORDINARY
    return count + (MAX_SLOTS if kind == SR else 0)


@compiled
def is_ample(words: Any, word: int, end: int, form: int, participant: Any, now: float) -> bool:
    """Whether this is an estimate (REMB) from which nothing follows but that it is known."""
    if form != AFB_FORMAT or end - word < 5 or int64(words[word + 3]) != REMB:
        return False
    if int64(words[word + 4]) & 0xFF != end - word - 5 or not is_unwatched(participant, now):
        return False
    before, latest = read_double(participant.line + 8 * bandwidth.ESTIMATE), estimate(words, word)
    if not before or latest < before * bandwidth.FALLING:
        return False  # with the first one a trial begins; one that falls may soon be short
    enough: bool = latest >= read_double(participant.line + 8 * bandwidth.ENOUGH)
    return enough


@compiled
def is_unwatched(participant: Any, now: float) -> bool:
    """Whether nothing follows from good reports (`Line.watch`)."""
    unwatched: bool = now >= read_double(participant.line + 8 * bandwidth.UNWATCHED_FROM)
    return unwatched


@compiled
def estimate(words: Any, word: int) -> float:
    """The bit rate of a REMB."""
    scaled = swapped(int64(words[word + 4]))
    rate: float = float64(scaled & 0x3FFFF) * 2.0 ** (scaled >> 18 & 0x3F)
    return rate


@compiled
def is_good(words: Any, word: int, participant: Any, now: float) -> bool:
    """Whether a report block tells of no loss, as the one before it did; or of no slot of the participant."""
    slot = slot_of(words, word, participant)
    if slot < 0:
        return True
    book, highest = participant.books[slot], swapped(int64(words[word + 2]))
    if int64(words[word + 1]) & 0xFF or read_double(book + 8 * reported.AT) == reported.NEVER:
        return False
    if highest < read_double(book + 8 * reported.HIGHEST):  # it began anew, or the number has wrapped
        return False
    return not participant.pictures[slot] or is_unwatched(participant, now)


@compiled
def slot_of(words: Any, word: int, participant: Any) -> int:
    """Which slot of the participant a report block is about; -1 if it is none."""
    ssrc = int64(words[word])
    for slot in range(participant.slots):
        if participant.slot_ssrcs[slot] == ssrc:
            return slot
    return -1


@compiled
def heed(
    words: Any, word: int, size: int, sender: int, participant: Any, index: Any, routes: Any, lanes: Any,
    names: Any, vectors: Any, outbox: Any, protect: int, now: float,
) -> None:  # fmt: skip
    """Act on a packet that was weighed."""
    stop = word + size // 4
    while word < stop:
        head = swapped(int64(words[word]))
        kind, count = head >> 16 & 0xFF, head >> 24 & 0x1F
        if kind == PSFB:
            write_double(participant.line + 8 * bandwidth.ESTIMATE, max(estimate(words, word), 1.0))
            write_double(participant.line + 8 * bandwidth.ESTIMATED_AT, now)
        elif kind in (SR, RR):
            blocks = word + (SENDER if kind == SR else RECEIVER)
            if kind == SR:
                row = find(index, routes, sender, swapped(int64(words[word + 1])))
                pass_on(words, word, routes[row], lanes[row], names, vectors, outbox, protect, now)
            for number in range(count):
                enter(words, blocks + BLOCK * number, participant, now)
        word += 1 + (head & 0xFFFF)
    losses = participant.losses
    if now - read_double(losses + 8 * bandwidth.SINCE) >= bandwidth.LOSS_SPAN:  # `Losses.read`: there were none
        write_double(losses + 8 * bandwidth.EXPECTED, 0.0)
        write_double(losses + 8 * bandwidth.SINCE, now)


@compiled
def pass_on(
    words: Any, word: int, route: Any, lanes: Any, names: Any, vectors: Any, outbox: Any, protect: int, now: float
) -> None:
    """Send each slot the sender report of its source: NTP time as it came (lip sync), the rest in the slot's terms."""
    seconds, part = int64(words[word + 2]), int64(words[word + 3])
    middle = (swapped(seconds) & 0xFFFF) << 16 | swapped(part) >> 16
    timestamp = swapped(int64(words[word + 4]))
    write_double(route.heard, middle)
    write_double(route.heard + 8, now)
    for number in range(route.lanes):
        lane = lanes[number]
        letter = outbox[mmsg.LETTERS] + outbox[mmsg.MAILED] * outbox[mmsg.ROOM]
        packets, octets = lane.packets + route.moved & 0xFFFFFFFF, lane.octets + route.octets & 0xFFFFFFFF
        write_word(letter, VERSION | SR << 8 | short(SENDER - 1) << 16 | lane.ssrc << 32)
        write_word(letter + 8, seconds | part << 32)
        write_word(letter + 16, swapped(timestamp + lane.timestamp_offset & 0xFFFFFFFF) | swapped(packets) << 32)
        write_int(letter + 24, swapped(octets))
        if not mailed(4 * SENDER, lane.outward, lane.destination, protect, names, vectors, outbox):
            outbox[mmsg.LOST] += 1
            continue
        count = read_double(lane.reported + 8 * reported.SENT)
        at = lane.reported + 8 * (reported.REPORTS + 2 * (int64(count) & reported.REMEMBERED - 1))
        write_double(at, middle)
        write_double(at + 8, now)
        write_double(lane.reported + 8 * reported.SENT, count + 1)


@compiled
def enter(words: Any, word: int, participant: Any, now: float) -> None:
    """`Reported.note` and `Losses.note` of a good block."""
    slot = slot_of(words, word, participant)
    if slot < 0:
        return
    book = participant.books[slot]
    highest = swapped(int64(words[word + 2]))
    more = max(1.0, min(highest - read_double(book + 8 * reported.HIGHEST), 32768.0))
    write_double(book + 8 * reported.AT, now)
    for place in range(1, BLOCK):
        write_double(book + 8 * place, swapped(int64(words[word + place])))
    if participant.pictures[slot]:
        expected = participant.losses + 8 * bandwidth.EXPECTED
        write_double(expected, read_double(expected) + more)
