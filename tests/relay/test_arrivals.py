"""Transport-wide feedback, read back as a browser reads it."""

import random
import struct

import pytest

from visits.relay.arrivals import MAX_NOTED, MAX_SPAN, Arrivals, at_tick
from visits.relay.reporting import arrived


def read(packet: bytes) -> dict[int, float]:
    """Transport-wide number to arrival, of the packets that came (draft-holmer, section 3.1)."""
    first, kind, length = struct.unpack_from(">BBH", packet)
    assert (first & 0x1F, kind, 4 * length + 4) == (15, 205, len(packet))
    if first & 0x20:
        packet = packet[: -packet[-1]]
    base, span, reference = struct.unpack_from(">HHI", packet, 12)
    at, symbols = 20, []
    while len(symbols) < span:
        chunk = int.from_bytes(packet[at : at + 2], "big")
        at += 2
        if chunk & 0x8000:
            assert chunk & 0x4000, "one-bit vectors are not written"
            symbols += [chunk >> 12 - 2 * i & 3 for i in range(7)]
        else:
            symbols += [chunk >> 13 & 3] * (chunk & 0x1FFF)
    ticks, came = (reference >> 8) * 256, {}
    for ahead, symbol in enumerate(symbols[:span]):
        if symbol:
            ticks += int.from_bytes(packet[at : at + symbol], "big", signed=symbol == 2)
            at += symbol
            came[base + ahead & 0xFFFF] = ticks / 4000
    assert at == len(packet)
    return came


def test_what_came_is_told_once_with_its_time():
    chance, arrivals, sequence, now = random.Random(2), Arrivals(), 65_400, 1000.0
    for _ in range(200):
        sent = {}
        for _ in range(chance.randint(0, 40)):
            sequence = sequence + 1 & 0xFFFF
            now += chance.choice([0.0, 0.001, 0.01, 0.2])
            if chance.random() < 0.9:
                sent[sequence] = now
        noted = list(sent.items())
        if chance.random() < 0.5:
            chance.shuffle(noted)
        for each in noted:
            arrivals.note(*each)
        report = arrivals.report(5, 0.0)
        if not sent:
            assert report is None
            continue
        told = read(report)
        assert told.keys() <= sent.keys()
        if noted == sorted(noted, key=lambda each: each[1]):
            assert told == pytest.approx(sent, abs=0.0003)


def test_a_steady_stream_takes_a_byte_a_packet():
    arrivals = Arrivals()
    for sequence in range(100):
        arrivals.note(sequence, 7.0 + sequence / 200)
    report = arrivals.report(5, 0.0)
    assert len(report) <= 24 + 100
    assert read(report) == pytest.approx({sequence: 7.0 + sequence / 200 for sequence in range(100)}, abs=0.0003)


def test_a_jump_starts_over_and_a_flood_is_bounded():
    arrivals = Arrivals()
    arrivals.note(1, 1.0)
    arrivals.report(5, 0.0)
    arrivals.note(2 + MAX_SPAN, 1.1)
    assert list(read(arrivals.report(5, 0.0))) == [2 + MAX_SPAN]
    chance = random.Random(4)
    for _ in range(100_000):
        arrivals.note(chance.randrange(1 << 16), chance.random() * 1e6)
    report = arrivals.report(5, 0.0)
    assert len(report) < 24 + 2 * MAX_NOTED + MAX_SPAN
    read(report)


def test_the_compiled_loop_notes_the_same():
    chance, ours, compiled = random.Random(6), Arrivals(), Arrivals()
    for _ in range(300):
        sequence, now = chance.choice([0, 65_530, 7]), 1000.0
        for _ in range(chance.choice([1, 40, MAX_NOTED + 3])):
            sequence = sequence + (1 if chance.random() < 0.999 else 3) & 0xFFFF
            now += chance.choice([0.0, 0.001, 0.01, 0.2] if chance.random() < 0.01 else [0.0, 0.01])
            ours.note(sequence, now)
            arrived(compiled.book.buffer_info()[0], at_tick(now) | sequence)
        assert ours.book == compiled.book
        report = ours.report(5, 0.0)
        assert report == compiled.report(5, 0.0)
        assert report is None or read(report)


def test_a_pause_is_told_right_where_the_numbers_begin_anew():
    arrivals = Arrivals()
    for ahead in range(4):
        arrivals.note(0xFFFE + ahead & 0xFFFF, 7.0 + ahead / 100)
    assert [*read(arrivals.report(5, 0.0)).items()] == [(0xFFFE, 7.0), (0xFFFF, 7.01), (0, 7.02), (1, 7.03)]
