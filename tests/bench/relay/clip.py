"""The clip that every peer plays: 720p30 VP8 at 1.6 Mbit/s and Opus, encoded once, cut into RTP payloads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import PictureType

from tests.bench.relay.build import FOLDER

SECONDS = 9
GROUP = 90  # frames from keyframe to keyframe
BITRATE = 1_600_000
PAYLOAD = 1160  # bytes; libwebrtc cuts a frame into parts of about the same size
PACED = 2.5 * BITRATE / 8  # bytes/s that a browser's pacer lets out,
BURST = 20_000  # in bursts of so many bytes: a frame leaves at once, a keyframe in a few steps
PICTURE = f"testsrc2=size=1280x720:rate=30:duration={SECONDS}"
SOUND = f"aevalsrc=exprs=0.2*sin(2*PI*(300+200*sin(3*t))*t)+0.1*(random(0)-0.5):sample_rate=48000:duration={SECONDS}"


@dataclass(frozen=True, slots=True)
class Piece:
    """One RTP packet: when it leaves (ns after the begin), its RTP time, its payload."""

    at: int
    timestamp: int
    payload: bytes
    marker: bool = False
    key: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """The picture or the sound; `span` in ns, `span_timestamp` in RTP units."""

    pieces: list[Piece]
    span: int
    span_timestamp: int


def clip(gap: int = 0) -> tuple[Track, Track]:
    """Picture and sound. `gap`: ns between two packets of a burst."""
    frames, sounds = _encoded()
    picture = Track(list(_picture(frames, gap)), len(frames) * 10**9 // 30, len(frames) * 3000)
    pieces = [Piece(i * 20_000_000, i * 960, data.ljust(16, b"\0")) for i, data in enumerate(sounds)]
    return picture, Track(pieces, len(pieces) * 20_000_000, len(pieces) * 960)


def _picture(frames: list[bytes], gap: int) -> Iterator[Piece]:
    free = 0.0  # when the pacer is free again
    for number, frame in enumerate(frames):
        parts = -(-len(frame) // (PAYLOAD - 4))
        size = -(-len(frame) // parts)
        due = max(number / 30, free)
        burst = 0
        for i in range(parts):
            if burst + size > BURST:
                due, burst = due + burst / PACED, 0
            # RFC 7741: extended, start of the frame; a picture id of 15 bits.
            descriptor = bytes([0x90 if i == 0 else 0x80, 0x80, 0x80 | number >> 8, number & 0xFF])
            payload = descriptor + frame[i * size : (i + 1) * size].ljust(8, b"\0")
            key = i == 0 and not frame[0] & 1
            yield Piece(int(due * 1e9) + burst // size * gap, number * 3000, payload, marker=i == parts - 1, key=key)
            burst += size
        free = due + burst / PACED


def _encoded() -> tuple[list[bytes], list[bytes]]:
    path = FOLDER / "clip.json"
    if not path.exists():
        _write(path, _encode_picture(), _encode_sound())
    frames, sounds = json.loads(path.read_text())
    return [bytes.fromhex(x) for x in frames], [bytes.fromhex(x) for x in sounds]


def _write(path: Path, *streams: list[bytes]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps([[data.hex() for data in stream] for stream in streams]))
    fresh.rename(path)


def _encode_picture() -> list[bytes]:
    options = {"deadline": "realtime", "cpu-used": "8", "minrate": str(BITRATE), "maxrate": str(BITRATE)}
    options |= {"bufsize": str(BITRATE), "keyint_min": str(GROUP), "lag-in-frames": "0", "error-resilient": "default"}
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 1280, 720, "yuv420p"
    encoder.bit_rate, encoder.gop_size, encoder.time_base, encoder.options = BITRATE, GROUP, Fraction(1, 30), options
    packets = []
    with av.open(PICTURE, format="lavfi") as source:
        for number, raw in enumerate(source.decode(video=0)):
            frame = raw.reformat(1280, 720, "yuv420p")
            frame.pts, frame.pict_type = number, PictureType.NONE  # raw frames would each become a keyframe
            packets += encoder.encode(frame)
    return [bytes(p) for p in packets + encoder.encode(None)]


def _encode_sound() -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, "mono", "s16", 32000
    resampler = av.AudioResampler(format="s16", layout="mono", rate=48000, frame_size=960)
    with av.open(SOUND, format="lavfi") as source:
        packets = [
            p for frame in source.decode(audio=0) for piece in resampler.resample(frame) for p in encoder.encode(piece)
        ]
    return [bytes(p) for p in packets]
