"""A packet rewritten by its shape is the packet that the portable path would make."""

import struct

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visits.relay import compiled, rtp
from visits.relay.ring import HEAD
from visits.relay.shapes import Shape, shape_of
from visits.relay.tables import LANE, ROUTE, WORDS, Tables

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


def memory_with(packet: bytes) -> numpy.ndarray:
    return numpy.frombuffer(bytearray(HEAD) + bytearray(packet) + bytearray(-len(packet) % 4 + 32), "u1")


def portable(packet: bytes, ids: dict[int, int], clock: int) -> bytes:
    """The header extensions as the portable path makes them."""
    out = bytearray(packet)
    rtp.rewrite_extensions(out, ids)
    rtp.stamp(out, clock, NOW)
    return bytes(out)


def by_rote(packet: bytes, shape: Shape, lane: int) -> bytes:
    """As the compiled loop makes the packet, for a slot that changes no numbers."""
    tables, memory = Tables(), memory_with(packet)
    number = tables.hold(shape)
    route, slot = numpy.zeros((), ROUTE), numpy.zeros((), LANE)
    _, second, sequence, route["timestamp"], _ = rtp.HEADER.unpack_from(packet)
    slot["payload_type"], slot["ssrc"] = second & 0x7F, int.from_bytes(packet[8:12], "little")
    rows = route[()], slot[()], tables.shapes[number], tables.rewrites[number, lane]
    compiled.write(memory, memory.view("u4"), HEAD, sequence, *rows, int.from_bytes(rtp.clock(NOW), "big"))
    return memory[HEAD : HEAD + len(packet)].tobytes()


def fits(packet: bytes, shape: Shape) -> bool:
    tables = Tables()
    number = tables.hold(shape)
    return bool(compiled.fits(memory_with(packet).view("u4"), HEAD // 4, tables.shapes[number]))


@settings(deadline=None)  # the first call is compiled
@given(streams())
def test_a_second_packet_of_the_shape_becomes_what_the_portable_path_makes_of_it(stream):
    publisher, ids, clock, first, second = stream
    shape = shape_of(first, publisher, [{}, ids])
    assert fits(second, shape)
    assert shape.head == (second[0] << 8 | second[1] & 0x7F)
    assert by_rote(second, shape, 1) == portable(second, ids, clock if publisher[rtp.ABS_SEND_TIME] in ids else 0)
    assert by_rote(second, shape, 0) == portable(second, {}, 0)


@settings(deadline=None)  # the first call is compiled
@given(streams(), st.data())
def test_a_packet_with_another_structure_is_not_taken_for_the_shape(stream, data):
    publisher, ids, _, first, second = stream
    shape = shape_of(first, publisher, [ids])
    spoilt = bytearray(second)
    for at, mask, _ in shape.checks:
        change = data.draw(st.integers(0, 0xFFFFFFFF)) & mask
        word = int.from_bytes(spoilt[4 * at : 4 * at + 4], "little") ^ change
        spoilt[4 * at : 4 * at + 4] = word.to_bytes(4, "little")
    assert fits(bytes(spoilt), shape) == (spoilt == second)


@settings(deadline=None)  # the first call is compiled
@given(streams())
def test_where_a_transport_wide_number_stands_is_where_the_portable_path_reads_it(stream):
    publisher, ids, _, first, second = stream
    shape = shape_of(first, publisher, [ids])
    value = rtp.extension_value(second, publisher[rtp.TRANSPORT_SEQUENCE])
    if shape.arrival_at:
        assert second[shape.arrival_at : shape.arrival_at + 2] == value
    else:
        assert value is None or len(value) != 2


def test_a_header_that_is_longer_than_a_row_has_no_number():
    elements = bytes([0x10 | 15]) + bytes(range(16))
    block = elements * WORDS
    block += bytes(-len(block) % 4)
    packet = rtp.HEADER.pack(0x90, 96, 7, 8, 9) + struct.pack(">HH", rtp.ONE_BYTE_PROFILE, len(block) // 4) + block
    assert Tables().hold(shape_of(packet + bytes(30), {}, [{}])) is None


@pytest.mark.parametrize("block", [struct.pack(">HHI", 0x1000, 1, 0x01010000), struct.pack(">HH", 0xBEDE, 2), b"\xbe"])
def test_what_cannot_be_read_has_no_shape(block):
    with pytest.raises(ValueError, match=r"extension|header"):
        shape_of(rtp.HEADER.pack(0x90, 96, 7, 8, 9) + block, {}, [{}])
