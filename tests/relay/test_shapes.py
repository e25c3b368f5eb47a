"""A packet rewritten by its shape is the packet that the portable path would make."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visits.relay import rtp
from visits.relay.ring import HEAD
from visits.relay.shapes import LAST_CLOCK, NO_CLOCK, Shape, clock_in_front

URIS = [rtp.MID, rtp.AUDIO_LEVEL, rtp.ABS_SEND_TIME, rtp.VIDEO_ORIENTATION, rtp.TRANSPORT_SEQUENCE, "urn:other"]
SIZES = {rtp.ABS_SEND_TIME: 3, rtp.TRANSPORT_SEQUENCE: 2}
NOW = 1234.5678


@st.composite
def streams(draw):
    """Ids of a publisher and of a receiver, and two packets that differ in values only."""
    publisher = dict(zip(URIS, draw(st.permutations(range(1, 15))), strict=False))
    known = draw(st.sets(st.sampled_from(URIS[1:])))
    other = dict(zip(URIS, draw(st.permutations(range(1, 15))), strict=False))
    sent = draw(st.lists(st.sampled_from(URIS), max_size=7))
    sizes = [SIZES.get(uri) or draw(st.integers(1, 4)) for uri in sent]
    padding = [draw(st.integers(0, 2)) for _ in sent]
    csrcs, extended = draw(st.sampled_from([0, 0, 0, 2])), draw(st.sampled_from([True, True, True, False]))

    def packet() -> bytes:
        header = rtp.HEADER.pack(0x80 | 0x10 * extended | csrcs, draw(st.sampled_from([96, 224])), 7, 8, 9)
        header += draw(st.binary(min_size=4 * csrcs, max_size=4 * csrcs))
        if extended:
            block = b"".join(
                bytes([publisher[uri] << 4 | size - 1]) + draw(st.binary(min_size=size, max_size=size)) + bytes(pad)
                for uri, size, pad in zip(sent, sizes, padding, strict=True)
            )
            block += bytes(-len(block) % 4)
            header += struct.pack(">HH", rtp.ONE_BYTE_PROFILE, len(block) // 4) + block
        return header + draw(st.binary(min_size=20, max_size=30))

    ids = {publisher[uri]: other[uri] for uri in known}
    return publisher, ids, other[rtp.ABS_SEND_TIME], packet(), packet()


def memory_with(packet: bytes) -> memoryview:
    return memoryview(bytearray(HEAD) + bytearray(packet) + bytearray(-len(packet) % 4 + 32))


def portable(packet: bytes, ids: dict[int, int], clock: int) -> bytes:
    """The header extensions as the portable path makes them."""
    out = bytearray(packet)
    rtp.rewrite_extensions(out, ids)
    rtp.stamp(out, clock, NOW)
    return bytes(out)


def by_words(packet: bytes, shape: Shape) -> bytes:
    memory = memory_with(packet)
    words = memory.cast("I")
    for at, keep, put in shape.changes:
        words[HEAD // 4 + at] = words[HEAD // 4 + at] & keep | put
    if shape.clock_at != NO_CLOCK:
        at = HEAD + shape.clock_at
        memory[at : at + rtp.CLOCK_BYTES] = rtp.clock(NOW)
    return bytes(memory[HEAD : HEAD + len(packet)])


def by_front_and_tail(packet: bytes, shape: Shape) -> bytes:
    memory = memory_with(packet)
    front, tail = struct.unpack_from(">QI", memory, HEAD + 16)
    assert (front & shape.front_mask, tail & shape.tail_mask) == (shape.front, shape.tail)
    rewrite = shape
    clock = int.from_bytes(rtp.clock(NOW), "big")
    time = clock_in_front(clock, rewrite.clock_at) if rewrite.clock_at != NO_CLOCK else 0
    struct.pack_into(">Q", memory, HEAD + 16, front & rewrite.front_keep | rewrite.front_put | time)
    if shape.words == 3:
        struct.pack_into(">I", memory, HEAD + 24, tail & rewrite.tail_keep | rewrite.tail_put)
    return bytes(memory[HEAD : HEAD + len(packet)])


@given(streams())
def test_a_second_packet_of_the_shape_becomes_what_the_portable_path_makes_of_it(stream):
    publisher, ids, clock, first, second = stream
    shape = Shape(first, publisher, [{}, ids])
    assert shape.fits(memory_with(second).cast("I"), HEAD // 4)
    assert shape.head == (second[0] << 8 | second[1] & 0x7F)
    wanted = portable(second, ids, clock if publisher[rtp.ABS_SEND_TIME] in ids else 0)
    assert by_words(second, shape) == wanted
    if shape.words:
        assert shape.clock_at <= LAST_CLOCK
        assert int.from_bytes(second[12:16], "big") == shape.block
        assert by_front_and_tail(second, shape) == wanted


@given(streams(), st.data())
def test_a_packet_with_another_structure_is_not_taken_for_the_shape(stream, data):
    publisher, ids, _, first, second = stream
    shape = Shape(first, publisher, [ids])
    spoilt = bytearray(second)
    for at, mask, _ in shape.checks:
        change = data.draw(st.integers(0, 0xFFFFFFFF)) & mask
        spoilt[4 * at : 4 * at + 4] = (int.from_bytes(spoilt[4 * at : 4 * at + 4], "little") ^ change).to_bytes(
            4, "little"
        )
    fits = shape.fits(memory_with(bytes(spoilt)).cast("I"), HEAD // 4)
    assert fits == (spoilt == second)
    if shape.words:
        front, tail = struct.unpack_from(">QI", memory_with(bytes(spoilt)), HEAD + 16)
        same = (front & shape.front_mask, tail & shape.tail_mask) == (shape.front, shape.tail)
        assert (same and int.from_bytes(spoilt[12:16], "big") == shape.block) == fits


@given(streams())
def test_where_a_transport_wide_number_stands_is_where_the_portable_path_reads_it(stream):
    publisher, ids, _, first, second = stream
    shape = Shape(first, publisher, [ids])
    value = rtp.extension_value(second, publisher[rtp.TRANSPORT_SEQUENCE])
    if shape.arrival_at:
        assert second[shape.arrival_at : shape.arrival_at + 2] == value
    else:
        assert value is None or len(value) != 2


@pytest.mark.parametrize("block", [struct.pack(">HHI", 0x1000, 1, 0x01010000), struct.pack(">HH", 0xBEDE, 2), b"\xbe"])
def test_what_cannot_be_read_has_no_shape(block):
    with pytest.raises(ValueError, match=r"extension|header"):
        Shape(rtp.HEADER.pack(0x90, 96, 7, 8, 9) + block, {}, [{}])
