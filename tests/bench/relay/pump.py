"""The C pump, seen from Python."""

from __future__ import annotations

import asyncio
import ctypes as c
import socket
import struct
from dataclasses import dataclass
from typing import Any

from pylibsrtp._binding import ffi, lib

from tests.bench.relay import build
from tests.bench.relay.clip import Track, clip
from tests.bench.relay.description import ABS_SEND_TIME, AUDIO_LEVEL, MID, TRANSPORT_SEQUENCE, Media
from tests.bench.relay.peer import Peer

VIDEO, AUDIO = 0, 1
EMPTY = {AUDIO_LEVEL: b"\x90", ABS_SEND_TIME: bytes(3), TRANSPORT_SEQUENCE: bytes(2)}
BINS, BIN = 200_000, 0.005  # of the histogram; ms


class _Piece(c.Structure):
    _fields_ = [
        ("at", c.c_uint64), ("timestamp", c.c_uint32), ("offset", c.c_uint32), ("size", c.c_uint16),
        ("marker", c.c_uint8), ("key", c.c_uint8),
    ]  # fmt: skip


class _Track(c.Structure):
    _fields_ = [
        ("pieces", c.POINTER(_Piece)), ("payload", c.c_char_p), ("span", c.c_uint64),
        ("count", c.c_uint32), ("span_timestamp", c.c_uint32),
    ]  # fmt: skip


class _Output(c.Structure):
    _fields_ = [
        ("ssrc", c.c_uint32), ("payload_type", c.c_uint8), ("extension_size", c.c_uint8), ("send_time", c.c_uint8),
        ("number", c.c_uint8), ("extension", c.c_uint8 * 32),
    ]  # fmt: skip


class _Settings(c.Structure):
    _fields_ = [
        ("socket", c.c_int), ("publishes", c.c_int), ("tx", c.c_void_p), ("rx", c.c_void_p), ("outputs", _Output * 2),
    ]  # fmt: skip


class _Result(c.Structure):
    _fields_ = [
        (name, c.c_uint64)
        for name in (
            "sent", "send_errors", "received", "expected", "rejected", "keyframe_requests", "streams", "latest",
            "sender_reports", "receiver_reports", "estimates", "transport_feedback",
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class Window:
    """What was sent and received while measuring. `latency`: ms, by percentile."""

    counts: dict[str, int]
    latency: dict[float, float]


class Pump:
    """Plays the clip for peers that are connected, and counts what comes back. One in a process."""

    def __init__(self, most: int, *, stamps: bool = True, gap: int = 0) -> None:
        self._c = build.library(build.HERE / "pump.c")
        self._peers: list[Peer] = []
        self._others, pumps = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._others.setblocking(False)
        self._fd = pumps.detach()
        self._c.pump_open(*srtp_functions(), self._fd, most, int(stamps))
        self._kept: list[Any] = [self._play(kind, track) for kind, track in enumerate(clip(gap))]
        asyncio.get_running_loop().add_reader(self._others, self._hand_back)

    def _play(self, kind: int, track: Track) -> Any:
        pieces, payload = [], b""
        for piece in track.pieces:
            pieces.append(_Piece(piece.at, piece.timestamp, len(payload), len(piece.payload), piece.marker, piece.key))
            payload += piece.payload
        given = _Track((_Piece * len(pieces))(*pieces), payload, track.span, len(pieces), track.span_timestamp)
        self._c.pump_clip(kind, c.byref(given))
        return given

    def add(self, peer: Peer) -> None:
        """Take over the socket of a connected peer."""
        fd, tx, rx = peer.hand_over()
        outputs = [_output(peer.video), _output(peer.audio)]
        settings = _Settings(fd, int(peer.publishes), tx, rx, (_Output * 2)(*outputs))
        if self._c.pump_add(c.byref(settings)) != len(self._peers):
            raise RuntimeError("more peers than announced")
        self._peers.append(peer)

    def start(self) -> None:
        """Begin to play; all peers have been added."""
        self._c.pump_start()

    def begin(self) -> None:
        """Begin the window."""
        self._c.pump_measure(1)

    def end(self) -> Window:
        """End the window."""
        self._c.pump_measure(0)
        result, bins = _Result(), (c.c_uint32 * BINS)()
        self._c.pump_result(c.byref(result), bins)
        counts = {name: int(getattr(result, name)) for name, *_ in _Result._fields_}
        return Window(counts, percentiles(list(bins), (50, 99, 99.9)))

    def stop(self) -> None:
        """Send and receive nothing more."""
        asyncio.get_running_loop().remove_reader(self._others)
        self._c.pump_stop()

    def _hand_back(self) -> None:
        for _ in range(64):
            try:
                data = self._others.recv(4096)
            except BlockingIOError:
                return
            self._peers[struct.unpack_from("i", data)[0]].datagram(data[4:])


def srtp_functions() -> list[c.c_void_p]:
    """protect, unprotect, protect_rtcp, unprotect_rtcp of pylibsrtp's libsrtp."""
    names = ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp")
    return [c.c_void_p(int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))) for name in names]


def percentiles(bins: list[int], wanted: tuple[float, ...]) -> dict[float, float]:
    """Upper edges of the bins, ms; nothing if nothing was counted."""
    found: dict[float, float] = {}
    total, seen = sum(bins), 0
    for number, each in enumerate(bins):
        seen += each
        while total and len(found) < len(wanted) and seen >= total * wanted[len(found)] / 100:
            found[wanted[len(found)]] = round((number + 1) * BIN, 3)
    return found


def _output(stream: Media) -> _Output:
    elements, send_time, number_at = b"", 0, 0
    for uri, number in stream.extensions.items():
        value = {MID: stream.mid.encode(), AUDIO_LEVEL: b"\x90", ABS_SEND_TIME: bytes(3), TRANSPORT_SEQUENCE: bytes(2)}[
            uri
        ]
        if uri == ABS_SEND_TIME:
            send_time = 4 + len(elements) + 1
        elif uri == TRANSPORT_SEQUENCE:
            number_at = 4 + len(elements) + 1
        elements += bytes([number << 4 | len(value) - 1]) + value
    elements += bytes(-len(elements) % 4)
    block = struct.pack(">HH", 0xBEDE, len(elements) // 4) + elements if elements else b""
    return _Output(stream.ssrc or 0, stream.payload_type, len(block), send_time, number_at, (c.c_uint8 * 32)(*block))
