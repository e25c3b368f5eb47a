"""RTCP read and written."""

import random
import struct

import pytest

from visits.relay import rtcp

REPORT = rtcp.SenderReport(7, 1 << 60, 90_000, 12, 3456)
BLOCK = rtcp.ReportBlock(9, 0x01000002, 70_000, 4, 5, 6)


def test_what_the_relay_writes_it_also_reads():
    data = (
        rtcp.sender_report(REPORT) + rtcp.receiver_report([BLOCK, BLOCK]) + rtcp.pli(5) + rtcp.remb(2_500_000, [5, 6])
    )
    found = rtcp.parse(data)
    assert found[:4] == [REPORT, BLOCK, BLOCK, rtcp.KeyframeRequest(5)]
    assert found[4].ssrcs == (5, 6)
    assert found[4].bitrate == pytest.approx(2_500_000, rel=1e-5)


@pytest.mark.parametrize("lost", [[1], [1, 2, 3], [10, 26, 27, 500], [65534, 65535, 0, 1], list(range(100))])
def test_nack_round_trip(lost):
    assert rtcp.parse(rtcp.nack(5, lost)) == [rtcp.Nack(5, tuple(lost))]


@pytest.mark.parametrize("bitrate", [0, 1, 300_000, (1 << 18) - 1, 1 << 18, 10**9, 1 << 70])
def test_remb_keeps_18_bits_of_precision(bitrate):
    [message] = rtcp.parse(rtcp.remb(bitrate, [1]))
    assert message.bitrate == pytest.approx(bitrate, rel=2**-17)


def test_fir_asks_for_each_of_its_streams():
    data = struct.pack(">BBHII", 0x84, 206, 6, 1, 0) + struct.pack(">IIII", 11, 0, 12, 0)
    assert rtcp.parse(data) == [rtcp.KeyframeRequest(11), rtcp.KeyframeRequest(12)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"\x00" * 8,
        struct.pack(">BBH", 0x80, 200, 60) + b"\0" * 20,
        struct.pack(">BBH", 0x9F, 201, 1) + b"\0" * 4,  # 31 blocks that are not there
        struct.pack(">BBHII4sI", 0x8F, 206, 4, 1, 0, b"REMB", 2 << 24),
        struct.pack(">BBHI", 0x81, 206, 1, 1),
        rtcp.pli(1) * 100,
    ],
)
def test_malformed_packets_are_value_errors(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the contract is the bare class
        rtcp.parse(data)


def test_a_nack_cannot_name_more_than_is_worth_repairing():
    [message] = rtcp.parse(rtcp.nack(5, range(0, 60000, 17)))
    assert len(message.lost) == rtcp.MAX_LOST


def test_what_is_not_understood_is_skipped():
    sdes = struct.pack(">BBHI", 0x81, 202, 1, 5)
    transport_cc = struct.pack(">BBHII", 0x8F, 205, 2, 1, 2)
    assert rtcp.parse(sdes + transport_cc + rtcp.pli(3)) == [rtcp.KeyframeRequest(3)]


def test_random_bytes_raise_nothing_but_value_error():
    chance = random.Random(4)
    for _ in range(20_000):
        words = chance.randrange(12)
        head = struct.pack(">BBH", 0x80 | chance.randrange(32), chance.choice([200, 201, 205, 206]), words)
        data = head + chance.randbytes(4 * words if chance.random() < 0.8 else chance.randrange(40))
        try:
            rtcp.parse(data)
        except ValueError:
            continue


def test_of_a_nack_without_end_only_the_beginning_is_read():
    data = struct.pack(">BBHII", 0x81, 205, 2 + 300, 1, 7) + struct.pack(">HH", 5, 0xFFFF) * 300
    [message] = rtcp.parse(data)
    assert len(message.lost) == rtcp.MAX_LOST
