"""RTP as bytes."""

import random
import struct

import pytest

from visits.relay import rtp, vp8


def packet(
    *elements: tuple[int, bytes], payload: bytes = b"payload", profile: int = rtp.ONE_BYTE_PROFILE, csrcs: int = 0
) -> bytes:
    block = b"".join(bytes([number << 4 | len(data) - 1]) + data for number, data in elements)
    block += bytes(-len(block) % 4)
    head = rtp.HEADER.pack(0x90 | csrcs, 96, 7, 8, 9) + b"\0\0\0\1" * csrcs
    return head + struct.pack(">HH", profile, len(block) // 4) + block + payload


def test_the_payload_starts_behind_csrcs_and_extensions():
    data = packet((1, b"a"), (2, b"abc"), csrcs=3)
    assert data[rtp.payload_start(data) :] == b"payload"
    assert rtp.payload_start(rtp.HEADER.pack(0x80, 96, 1, 2, 3)) == 12


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        b"\x00" * 20,
        rtp.HEADER.pack(0x90, 96, 1, 2, 3),
        rtp.HEADER.pack(0x90, 96, 1, 2, 3) + b"\xbe\xde\x00\x09abcd",
        rtp.HEADER.pack(0x8F, 96, 1, 2, 3) + b"abcd",
    ],
)
def test_a_header_that_does_not_fit_is_refused(data):
    with pytest.raises(ValueError, match="RTP"):
        rtp.payload_start(data)


def test_extension_elements_are_found():
    data = packet((4, b"0"), (1, b"\x1e"), (2, b"abc"))
    assert rtp.extension_value(data, 4) == b"0"
    assert rtp.extension_value(data, 2) == b"abc"
    assert rtp.extension_value(data, 9) is None


def test_extension_ids_are_rewritten_in_place_and_unknown_ones_blanked():
    data = bytearray(packet((4, b"0"), (1, b"\x1e"), (2, b"abc")))
    before = len(data)
    rtp.rewrite_extensions(data, {1: 6, 2: 1})
    assert len(data) == before
    assert {n for n, _, _ in rtp.extensions(data)} == {6, 1}
    assert rtp.extension_value(bytes(data), 1) == b"abc"
    assert data.endswith(b"payload")


def test_two_byte_elements_and_reserved_ids_are_blanked_not_read():
    for data in (packet((1, b"a"), profile=0x1000), packet((15, b"abc"), (1, b"z"))):
        out = bytearray(data)
        rtp.rewrite_extensions(out, {1: 1, 15: 2})
        assert list(rtp.extensions(out)) == []
        assert out.endswith(b"payload")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x10\x00", True),
        (b"\x10\x01", False),  # P bit: an interframe
        (b"\x00\x00", False),  # not the start of a partition
        (b"\x11\x00", False),  # another partition
        (b"\x90\x80\x05\x00", True),  # 7-bit picture id
        (b"\x90\x80\x85\x05\x00", True),  # 15-bit picture id
        (b"\x90\xf0\x85\x05\x01\x20\x00", True),  # TL0PICIDX and TID
        (b"\x90\xf0\x85\x05\x01\x20\x01", False),
        (b"", False),
        (b"\x10", False),
        (b"\x90\x80\x85", False),
    ],
)
def test_a_vp8_keyframe_is_told_by_its_clear_bits(payload, expected):
    assert vp8.is_keyframe(payload, 0) is expected


def test_rtx_is_unwrapped_to_the_original():
    header = rtp.HEADER.pack(0x80, 0x80 | 97, 500, 8, 99)
    original = rtp.unwrap_rtx(header + b"\x00\x2a" + b"payload", 12, 9, 96)
    assert original == rtp.HEADER.pack(0x80, 0x80 | 96, 42, 8, 9) + b"payload"


def test_rtx_that_only_probes_is_nothing():
    header = rtp.HEADER.pack(0xA0, 97, 500, 8, 99)
    assert rtp.unwrap_rtx(header + b"\0" * 99 + b"\x64", 12, 9, 96) is None
    assert rtp.unwrap_rtx(rtp.HEADER.pack(0x80, 97, 500, 8, 99) + b"\0\1", 12, 9, 96) is None
    with pytest.raises(ValueError, match="padding"):
        rtp.unwrap_rtx(header + b"\xff", 12, 9, 96)


def test_sequence_numbers_wrap():
    assert rtp.later(0, 65535)
    assert not rtp.later(65535, 0)
    assert not rtp.later(5, 5)
    assert not rtp.later(0, 0x8000)


def test_random_bytes_raise_nothing_but_value_error():
    chance = random.Random(3)
    for _ in range(20_000):
        data = bytes([chance.choice([0x80, 0x90, 0xB0, 0xBF])]) + chance.randbytes(chance.randrange(60))
        try:
            start = rtp.payload_start(data)
        except ValueError:
            continue
        out = bytearray(data)
        rtp.rewrite_extensions(out, {n: n % 14 + 1 for n in range(1, 15)})
        assert len(out) == len(data)
        assert out[start:] == data[start:]
        vp8.is_keyframe(data, start)
        try:
            rtp.unwrap_rtx(data, start, 1, 96)
        except ValueError:
            continue
