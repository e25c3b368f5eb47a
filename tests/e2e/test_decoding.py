"""What the tap's reading of packets must not mistake for frames."""

import struct

from tests.e2e import decoding


def _packet(sequence: int, payload: bytes, *, begins: bool = False, ends: bool = False) -> bytes:
    header = struct.pack("!BBHII", 0x80, decoding.VP8 | (ends << 7), sequence, 3000, 7)
    return header + bytes([0x10 if begins else 0]) + payload


def test_a_frame_that_lacks_a_packet_is_none() -> None:
    """Also the first, which only the descriptor shows: what follows it would be read as a frame with an odd key."""
    frame = [_packet(5, b"\0abc", begins=True), _packet(6, b"\0def"), _packet(7, b"\0ghi", ends=True)]

    def read(packets: list[bytes]) -> list[list[bytes]]:
        return list(decoding.picture_frames(packets))

    assert read(frame) == read(frame[::-1]) == [[b"\0abc\0def\0ghi"]]
    for missing in range(3):
        assert read([packet for packet in frame if packet is not frame[missing]]) == [[]]


def test_a_key_id_is_read_however_many_bytes_it_needs() -> None:
    """RFC 9605 §4.3: zeros in front are left out, so that a key id may be shorter than the others."""
    assert decoding.key_id(bytes([0xD0, 1, 2, 3, 4, 5, 6])) == 0x010203040506
    assert decoding.key_id(bytes([0xC0, 2, 3, 4, 5, 6])) == 0x0203040506
    assert decoding.key_id(bytes([0x70])) == 7
