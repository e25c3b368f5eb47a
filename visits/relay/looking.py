"""A look at the port, compiled: receive a batch, let the loop over it run, send. And the next looks.

To wake Python costs as much as to move some packets: between two looks the processor's cache has lost what the event
loop and the interpreter touch. So the looks of the next milliseconds are taken here, as long as each finds something
and all of it has a route. What is odd goes to Python at once, and behind its batch what asks for a repair or a picture
(alone, as RFC 5506 lets it), and media without a route; checks wait until it is Python's turn.

What is known by its address: functions of libc, the headers of `Inbox` and `Outbox`, and two words of scratch, all of
which live as long as the port.
"""

from __future__ import annotations

import errno
from typing import Any

from numba import int64

from visits.relay import compiled, mmsg, ring, rtcp
from visits.relay.compiling import compiled as compile_with_numba
from visits.relay.kernel import CALLED, CLOCK_GETTIME, CLOCK_MONOTONIC, ERRNO, NONBLOCK, POLL, READ, RECVMMSG, SENDMMSG
from visits.relay.machine import call3, call5, read_int, read_word, where
from visits.relay.mmsg import BATCH
from visits.relay.ring import HEAD, is_full, reserve
from visits.relay.tables import MAX_LANES

ROUNDS = 16  # batches before other work of the event loop gets its turn
COPIES = (MAX_LANES - 1) * BATCH  # packets for further receivers in one batch
PATIENCE = 10  # milliseconds; the timer goes off long before
POLLFD_AT = 16  # bytes of the scratch before what poll wants to know
TICK = 1_000_000_000 // rtcp.TICKS  # nanoseconds

# The words of `system`: the functions, and what they are called for.
SOCKET, TIMER, INBOX, OUTBOX, SCRATCH, SYSTEM = range(len(CALLED), len(CALLED) + 6)


@compile_with_numba
def look(
    memory: Any, words: Any, index: Any, routes: Any, lanes: Any, shapes: Any, rewrites: Any, participants: Any,
    senders: Any, messages: Any, spaces: Any, names: Any, vectors: Any, deferred: Any, events: Any,
    places: Any, outbox: Any, system: Any, book: Any, most: int,
) -> int:  # fmt: skip
    """Look at the port, `most` times at most: DONE, or as the loop says it ODD or BEHIND (then call again to go on).

    `spaces` is where the inbox puts what comes. `book` counts the looks, the batches and the datagrams in LOOKS,
    BATCHES and RECEIVED, in FAILED the calls that failed. The timer must be running if `most` is above 1.
    """
    while True:
        if not book[compiled.OPEN]:
            receive(spaces, places, system, book)
        moved: int = compiled.forward(memory, words, index, routes, lanes, shapes, rewrites, participants, senders,
                                      messages, names, vectors, deferred, events, places, outbox, book)  # fmt: skip
        if moved != compiled.DONE:
            return moved
        count = book[compiled.COUNT]
        book[compiled.OPEN] = 0
        places[ring.FIRST] = book[compiled.SPARE]
        book[compiled.BATCHES] += count > 0
        book[compiled.LOOKS] += count < BATCH
        if outbox[mmsg.COUNT]:
            post(outbox, system)
        if book[compiled.URGENT] or book[compiled.EVENTS] or book[compiled.BATCHES] >= ROUNDS:
            return compiled.DONE
        if book[compiled.DEFERRED] and is_full(places, BATCH + COPIES):
            return compiled.DONE  # what waits would be received over
        if count < BATCH:
            if not count or book[compiled.LOOKS] >= most:
                return compiled.DONE
            wait(system)


@compile_with_numba
def wait(system: Any) -> None:
    """Until the timer goes off. Reading does not wait: event loops let none of their descriptors block."""
    call3(system[POLL], system[SCRATCH] + POLLFD_AT, 1, PATIENCE)
    call3(system[READ], system[TIMER], system[SCRATCH], 8)


@compile_with_numba
def receive(spaces: Any, places: Any, system: Any, book: Any) -> None:
    """Receive a batch into the ring, and note what the loop wants to know of it."""
    call3(system[CLOCK_GETTIME], CLOCK_MONOTONIC, system[SCRATCH], 0)
    seconds, part = read_word(system[SCRATCH]), read_word(system[SCRATCH] + 8)
    now = seconds * 1_000_000_000 + part
    first = reserve(places, BATCH + COPIES, now)
    address = places[ring.BASE] + first * places[ring.STRIDE] + HEAD
    for number in range(BATCH):
        spaces[2 * number] = address
        address += places[ring.STRIDE]
    count = int64(call5(system[RECVMMSG], system[SOCKET], system[INBOX], BATCH, NONBLOCK, 0))
    if count < 0:
        if failure(system) not in (errno.EAGAIN, errno.EINTR):
            book[compiled.FAILED] += 1
        count = int64(0)
    book[compiled.RECEIVED] += count
    book[compiled.FIRST], book[compiled.COUNT], book[compiled.AT], book[compiled.OPEN] = first, count, 0, 1
    book[compiled.SPARE] = first + count
    book[compiled.NOW], book[compiled.TICK] = now, now // TICK << 16
    book[compiled.CLOCK] = (seconds << 18) + (part << 18) // 1_000_000_000 & 0xFFFFFF


@compile_with_numba
def post(outbox: Any, system: Any) -> None:
    """Send what waits in the outbox. What finds a full buffer or no way is lost."""
    at, count = int64(0), outbox[mmsg.COUNT]
    outbox[mmsg.COUNT] = outbox[mmsg.MAILED] = 0
    while at < count:
        outbox[mmsg.CALLS] += 1
        headers = system[OUTBOX] + at * mmsg.HEADER
        sent = int64(call5(system[SENDMMSG], system[SOCKET], headers, count - at, NONBLOCK, 0))
        if sent > 0:
            at += sent
            continue
        why = failure(system)
        if why == errno.EAGAIN:
            outbox[mmsg.LOST] += count - at
            return
        if why != errno.EINTR:
            outbox[mmsg.LOST] += 1
            at += 1


@compile_with_numba
def failure(system: Any) -> int:
    """errno of the last call."""
    why: int = int64(read_int(where(system[ERRNO])))
    return why
