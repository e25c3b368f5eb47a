"""Reports to publishers by compiled code: what Python would write, sent when due, left to Python where it is odd."""

import random
import struct

import numpy
import pylibsrtp
import pytest

from visits.relay import arrivals, compiled, kernel, mmsg, reporting, rtcp
from visits.relay.arrivals import MAX_NOTED, Arrivals, at_tick
from visits.relay.engine import TURN
from visits.relay.hooks import in_place
from visits.relay.mmsg import BATCH, Outbox
from visits.relay.tables import ROUTE

pytestmark = pytest.mark.skipif(kernel.libc is None, reason="no such system calls here")
SSRC, SENDER = 0x81828384, 77
ROOM = 1728


def noted(chance: random.Random, count: int, first: int) -> Arrivals:
    made, now = Arrivals(), 1000 + chance.random()
    for ahead in range(count):
        made.note(first + ahead & 0xFFFF, now)
        now += chance.choice([0, 0.00025, 0.004, 0.06])
    return made


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 255, 256, 257, MAX_NOTED])
def test_it_writes_what_python_does(count):
    chance = random.Random(count)
    made, first = noted(chance, count, 65_500), 65_500
    book, letter = made.book.buffer_info()[0], numpy.full(ROOM, 0xEE, "u1")
    ssrc = int.from_bytes(SSRC.to_bytes(4, "big"), "little")
    tick = made.book[arrivals.NOTED] >> 16
    size = reporting.write(letter.ctypes.data, book, ssrc, first, count, tick, 300)
    pauses = bytes(memoryview(made.book).cast("B")[arrivals.PAUSES :][: count - 1])
    assert letter[:size].tobytes() == rtcp.run_feedback(SSRC, first, 300, tick, pauses)


class Publisher:
    """A route with its publisher's session, and the outbox of a port."""

    def __init__(self) -> None:
        self.srtp = in_place()
        policy = pylibsrtp.Policy(
            key=b"k" * 28, ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        )  # fmt: skip
        self.session = pylibsrtp.Session(policy)
        policy.ssrc_type = pylibsrtp.Policy.SSRC_ANY_INBOUND
        self.browser = pylibsrtp.Session(policy)
        self.arrivals = Arrivals()
        self.outbox = Outbox(ROOM, 2 * BATCH)
        self.routes = numpy.zeros(1, ROUTE)
        route = self.routes[0]
        route["arrivals"], route["sender"] = self.arrivals.book.buffer_info()[0], SENDER
        route["outward"] = self.srtp.pointer(self.session._srtp[0])
        route["reported"] = int.from_bytes(SSRC.to_bytes(4, "big"), "little")

    def report(self, now: float, protect: int | None = None) -> bool:
        return report(
            self.routes, at_tick(now), protect or self.srtp.protect_rtcp, self.outbox.names, self.outbox.vectors,
            self.outbox.array,
        )  # fmt: skip

    def told(self) -> list[bytes]:
        """What lies in the outbox, decrypted, and is taken out."""
        outbox, letters = self.outbox, []
        for place in range(outbox.book[mmsg.COUNT]):
            assert outbox.names[2 * place] == SENDER
            at, length = outbox.vectors[2 * place] - outbox.book[mmsg.LETTERS], outbox.vectors[2 * place + 1]
            letters.append(self.browser.unprotect_rtcp(bytes(outbox._paper[at : at + length])))
        outbox.book[mmsg.COUNT] = outbox.book[mmsg.MAILED] = 0
        return letters


@compiled.compiled
def report(routes, clock, protect, names, vectors, outbox):
    return reporting.report(routes[0], clock, protect, names, vectors, outbox)


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


def test_a_report_goes_out_when_it_is_due_and_the_next_one_follows_on(publisher):
    twin, sequence = Arrivals(), 65_530
    for turn in range(3):
        now = 1000 + 0.2 * turn
        for ahead in range(20):
            for each in (publisher.arrivals, twin):
                each.note(sequence, now + ahead / 1000)
            sequence = sequence + 1 & 0xFFFF
        assert publisher.report(now + 0.02)
        assert publisher.told() == [twin.report(SSRC, now + 0.02)]
        assert publisher.arrivals.book[: arrivals.NOTED] == twin.book[: arrivals.NOTED]
        for each in (publisher.arrivals, twin):
            each.note(sequence, now + 0.15)
        sequence = sequence + 1 & 0xFFFF
        assert publisher.report(now + 0.15)
        assert publisher.told() == []


def test_python_and_compiled_code_take_turns(publisher):
    for sequence in range(60):
        publisher.arrivals.note(sequence, 1000 + sequence / 100)
        if sequence % 20 == 9:
            assert publisher.report(2000.0 + sequence)
        elif sequence % 20 == 19:
            publisher.outbox.mail(publisher.session.protect_rtcp(publisher.arrivals.report(SSRC, 0.0)), SENDER)
    spans = [struct.unpack_from(">HH3xB", letter, 12) for letter in publisher.told()]
    assert spans == [(10 * number, 10, number + 1) for number in range(6)]


@pytest.mark.parametrize("numbers", [[1, 3], [2, 1], [1, 1]])
def test_what_is_out_of_its_turn_is_left_to_python_and_asked_for_once(publisher, numbers):
    for ahead, sequence in enumerate(numbers):
        publisher.arrivals.note(sequence, 1000 + ahead / 1000)
    assert not publisher.report(1000.1)
    assert publisher.report(1000.1)
    assert publisher.told() == []
    assert publisher.arrivals.report(SSRC, 1000.1)


def test_what_is_lost_between_two_reports_is_left_to_python(publisher):
    publisher.arrivals.note(1, 1000.0)
    assert publisher.report(1000.1)
    publisher.arrivals.note(3, 1000.2)
    assert not publisher.report(1000.4)
    assert len(publisher.told()) == 1


def test_where_no_letter_fits_it_waits_for_the_next_packet(publisher):
    publisher.arrivals.note(1, 1000.0)
    while publisher.outbox.mail(b"other", SENDER):
        pass
    assert publisher.report(1000.1)
    assert publisher.outbox.book[mmsg.MAILED] == BATCH
    publisher.outbox.book[mmsg.COUNT] = publisher.outbox.book[mmsg.MAILED] = 0
    assert publisher.report(1000.1)
    assert len(publisher.told()) == 1


def test_what_libsrtp_refuses_is_not_sent_and_not_lost(publisher):
    publisher.arrivals.note(1, 1000.0)
    assert not publisher.report(1000.1, protect=publisher.srtp.unprotect)
    assert publisher.told() == []
    assert publisher.arrivals.report(SSRC, 1000.1)


def test_it_writes_into_no_other_letter(publisher):
    publisher.outbox.book[mmsg.ROOM] = 200
    for sequence in range(100):
        publisher.arrivals.note(sequence, 1000 + sequence / 1000)
    assert not publisher.report(1000.2)
    assert publisher.told() == []


def test_the_clock_finds_a_report_due_each_time_it_comes():
    told, now = Arrivals(), 1000.0
    for turn in range(50):
        told.note(turn, now)
        assert told.is_due(now)
        told.report(SSRC, now)
        told.note(turn, now + TURN / 2)
        assert not told.is_due(now + TURN / 2)
        now += TURN
