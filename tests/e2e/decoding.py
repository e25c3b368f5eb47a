"""RTP packets, as a relay has them, fed to real decoders: whose picture, whose sound comes out?"""

import cmath
import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import av

from tests.e2e.media import COLOURS
from visits.relay import rtp

VP8, OPUS = 96, 111  # Chromium's payload types
RATE = 48_000
QUIET = 100  # mean square of a sample


@dataclass
class Heap:
    """Packets by kind."""

    video: list[bytes] = field(default_factory=list)
    audio: list[bytes] = field(default_factory=list)


def sort(packets: Iterable[bytes]) -> Heap:
    heap = Heap()
    for packet in packets:
        kind = {VP8: heap.video, OPUS: heap.audio}.get(packet[1] & 0x7F)
        if kind is not None and not packet[0] & 0x20:  # no padding: those are probes
            kind.append(packet)
    return heap


def sound_frames(packets: Iterable[bytes]) -> list[bytes]:
    """Opus: one in each packet (RFC 7587)."""
    return [packet[rtp.payload_start(packet) :] for packet in packets]


def picture_frames(packets: Iterable[bytes]) -> Iterator[list[bytes]]:
    """VP8: the whole frames of each stream (RFC 7741 §4.3), in order from a key frame on."""
    streams: dict[int, dict[int, list[tuple[int, bool, bool, bytes]]]] = defaultdict(lambda: defaultdict(list))
    for packet in packets:
        marker, sequence, timestamp, ssrc = packet[1] >> 7, *struct.unpack_from("!HII", packet, 2)
        payload = packet[rtp.payload_start(packet) :]
        part = _after_descriptor(payload)
        if part:
            streams[ssrc][timestamp].append((sequence, bool(marker), _begins(payload), part))
    for frames in streams.values():
        whole = [
            b"".join(part for *_, part in sorted(parts)) for _, parts in sorted(frames.items()) if _is_whole(parts)
        ]
        while whole and whole[0][0] & 1:
            whole.pop(0)
        yield whole


def bodies(heap: Heap) -> list[bytes]:
    """Each frame without the bytes that a sealed one leaves in the clear."""
    pictures = [frame[3 if frame[0] & 1 else 10 :] for stream in picture_frames(heap.video) for frame in stream]
    return sound_frames(heap.audio) + pictures


def key_id(body: bytes) -> int:
    """What would be the key id if an SFrame header (RFC 9605 §4.3) stands there."""
    code = body[0] >> 4
    return int.from_bytes(body[1 : 2 + (code & 7)], "big") if code & 8 else code


def _is_whole(parts: list[tuple[int, bool, bool, bytes]]) -> bool:
    parts = sorted(parts)
    numbers = [sequence for sequence, _, _, _ in parts]
    # Without its first packet, which may have come by retransmission, the rest looks like a frame of its own.
    (_, _, begins, _), (_, ends, _, _) = parts[0], parts[-1]
    return begins and ends and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _begins(payload: bytes) -> bool:
    """RFC 7741 §4.2: start of partition 0."""
    return payload[0] & 0x17 == 0x10


def _after_descriptor(payload: bytes) -> bytes:
    """RFC 7741 §4.2."""
    at = 1
    if payload and payload[0] & 0x80:
        extended = payload[1]
        at = 2
        if extended & 0x80:
            at += 2 if payload[at] & 0x80 else 1
        at += bool(extended & 0x40) + bool(extended & 0x30)
    return payload[at:]


def pictures(frames: Iterable[bytes], colour: str) -> int:
    """How many of the frames a decoder turns into a picture of this colour."""
    decoder = av.CodecContext.create("vp8", "r")
    found = 0
    for frame in frames:
        try:
            for picture in decoder.decode(av.Packet(frame)):
                found += _shows(picture, colour)
        except av.FFmpegError:
            continue
    return found


def _shows(picture: av.VideoFrame, colour: str) -> bool:
    small = bytes(picture.reformat(32, 32, "rgb24").planes[0])
    pixels = [small[at : at + 3] for at in range(0, len(small) - 2, 3)]
    near = sum(all(abs(a - b) < 60 for a, b in zip(pixel, COLOURS[colour], strict=True)) for pixel in pixels)
    return near > len(pixels) / 2


def sounds(frames: Iterable[bytes], tone: int) -> float:
    """Of the tenths of a second in which a decoder makes the frames sound, the share that this tone rules."""
    samples = _samples(frames)
    window = RATE // 10
    loud = ruled = 0
    for start in range(0, len(samples) - window, window):
        part = samples[start : start + window]
        power = sum(sample * sample for sample in part)
        if power < QUIET * window:  # between the beeps
            continue
        turned = sum(sample * cmath.exp(-2j * math.pi * tone * at / RATE) for at, sample in enumerate(part))
        loud += 1
        ruled += 2 * abs(turned) ** 2 > window * power / 2
    return ruled / loud if loud else 0.0


def _samples(frames: Iterable[bytes]) -> list[int]:
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = RATE, "mono"
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    samples: list[int] = []
    for frame in frames:
        try:
            for sound in decoder.decode(av.Packet(frame)):
                for plain in resampler.resample(sound):
                    samples.extend(struct.unpack(f"<{plain.samples}h", bytes(plain.planes[0])[: 2 * plain.samples]))
        except av.FFmpegError:
            continue
    return samples
