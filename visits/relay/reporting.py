"""How a publisher's packets arrive, kept and told by compiled code: with the packet at which a report is due.

Then what is told lies in the processor's cache, and each of the hundreds of reports a second costs about as much as a
packet. What came out of its turn is told by Python, which is asked for it (`Arrivals.report`).

What is known by its address: the books of `Arrivals` and libsrtp's contexts, both kept by the route; letters of the
outbox, which live as long as the port.
"""

from __future__ import annotations

from typing import Any

from visits.relay import arrivals, mmsg
from visits.relay.compiling import compiled
from visits.relay.machine import call3, read_word, swapped, write_byte, write_int, write_word
from visits.relay.ring import TRAILER
from visits.relay.rtcp import RELAY_SSRC, RTPFB, TRANSPORT_FORMAT

VERSION, PADDED, ALL_CAME = 0x80, 0x20, 0x20  # RFC 3550 section 6.4.1; a run of packets with short pauses
FIXED = 23  # bytes before the pauses


@compiled
def arrived(book: int, value: int) -> None:
    """`Arrivals.note`."""
    count = read_word(book + 8 * arrivals.COUNT)
    if count == arrivals.MAX_NOTED:
        return
    here = book + 8 * (arrivals.NOTED + count)
    if count:
        last = read_word(here - 8)
        pause = (value >> 16) - (last >> 16)
        if value - last & 0xFFFF == 1 and 0 <= pause <= arrivals.LONGEST_PAUSE:
            write_byte(book + arrivals.PAUSES + count - 1, pause)
        else:
            write_word(book + 8 * arrivals.ODD, 1)
    write_word(here, value)
    write_word(book + 8 * arrivals.COUNT, count + 1)


@compiled
def report(route: Any, clock: int, protect: int, names: Any, vectors: Any, outbox: Any) -> bool:
    """Tell the route's publisher how its packets arrive, if that is due by the clock (`at_tick`).

    False, and the next time is set, if Python must do it: packets are missing, or libsrtp refuses.
    """
    book = route.arrivals
    if clock < read_word(book + 8 * arrivals.DUE) or outbox[mmsg.MAILED] == mmsg.BATCH:
        return True
    write_word(book + 8 * arrivals.DUE, clock + arrivals.EVERY)
    count, expected = read_word(book + 8 * arrivals.COUNT), read_word(book + 8 * arrivals.NEXT)
    first, tick = read_word(book + 8 * arrivals.NOTED) & 0xFFFF, read_word(book + 8 * arrivals.NOTED) >> 16
    size = FIXED + count - 1
    if read_word(book + 8 * arrivals.ODD) or expected not in (-1, first) or size + 8 + TRAILER + 8 > outbox[mmsg.ROOM]:
        return False
    number = read_word(book + 8 * arrivals.REPORTS) + 1
    letter = outbox[mmsg.LETTERS] + outbox[mmsg.MAILED] * outbox[mmsg.ROOM]
    size = write(letter, book, route.reported, first, count, tick, number)
    if not mailed(size, route.outward, route.sender, protect, names, vectors, outbox):
        return False
    write_word(book + 8 * arrivals.COUNT, 0)
    write_word(book + 8 * arrivals.NEXT, first + count & 0xFFFF)
    write_word(book + 8 * arrivals.REPORTS, number)
    return True


@compiled
def mailed(size: int, outward: int, destination: int, protect: int, names: Any, vectors: Any, outbox: Any) -> bool:
    """Encrypt what was written into the next letter and put it into the outbox; False if libsrtp refuses it."""
    letter = outbox[mmsg.LETTERS] + outbox[mmsg.MAILED] * outbox[mmsg.ROOM]
    length = letter + outbox[mmsg.ROOM] - 8  # where libsrtp reads and writes it
    write_int(length, size)
    if call3(protect, outward, letter, length):
        return False
    out = outbox[mmsg.COUNT]
    names[2 * out], vectors[2 * out], vectors[2 * out + 1] = destination, letter, read_word(length) & 0xFFFF
    outbox[mmsg.COUNT] += 1
    outbox[mmsg.MAILED] += 1
    return True


@compiled
def write(letter: int, book: int, ssrc: int, first: int, count: int, tick: int, number: int) -> int:
    """`rtcp.run_feedback` at an address; how long it is. `ssrc` is a word of a packet."""
    size = FIXED + count - 1
    padding = -size & 3
    words = (size + padding) // 4 - 1
    head = VERSION | (PADDED if padding else 0) | TRANSPORT_FORMAT
    write_word(letter, head | RTPFB << 8 | short(words) << 16 | swapped(RELAY_SSRC) << 32)
    write_word(letter + 8, ssrc | short(first) << 32 | short(count) << 48)
    time = (tick >> 8 & 0xFFFFFF) << 8 | number & 0xFF
    write_word(letter + 16, swapped(time) | (ALL_CAME | count >> 8) << 32 | (count & 0xFF) << 40 | (tick & 0xFF) << 48)
    for word in range((count + 6) // 8):
        write_word(letter + FIXED + 8 * word, read_word(book + arrivals.PAUSES + 8 * word))
    for place in range(padding):
        write_byte(letter + size + place, padding if place == padding - 1 else 0)
    return size + padding


@compiled
def short(number: int) -> int:
    """A 16-bit number as it lies in a packet: big-endian."""
    return number >> 8 | (number & 0xFF) << 8
