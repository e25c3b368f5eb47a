"""Cameras that show one colour, microphones that hear one tone, and how to tell on the other side."""

import math
import random
import struct
import subprocess
import time
import wave
from pathlib import Path

from playwright.sync_api import Locator

WIDTH, HEIGHT, FRAMES_PER_SECOND = 640, 360, 20
COLUMNS, ROWS = 40, 45  # of blocks in a lively picture, whatever its size
RATE = 48_000
COLOURS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "yellow": (255, 220, 0)}

COLOUR_OF = """(video) => {
  if (video.readyState < 2) return null;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d");
  pen.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 8, 8, 0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
}"""

# Keeps the page's sockets, so that a test can cut them, and what became of each: when it began, opened and ended
# (seconds since the page was opened), and its code.
KEEP_SOCKETS = """
window.sockets = [];
window.tries = [];
window.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address);
    window.sockets.push(this);
    const now = () => Math.round(performance.now() / 10) / 100;
    const attempt = {began: now()};
    window.tries.push(attempt);
    this.addEventListener("open", () => (attempt.opened = now()));
    this.addEventListener("message", () => (attempt.welcomed ??= now()));
    this.addEventListener("close", ({code}) => Object.assign(attempt, {ended: now(), code}));
  }
};
"""

# Listens for a while and returns [loudest frequency, its level in dB].
TONE_OF = """async (audio) => {
  const context = (window.ears ??= new AudioContext());
  await context.resume();
  const source = context.createMediaStreamSource(audio.srcObject);
  const analyser = new AnalyserNode(context, {fftSize: 8192, smoothingTimeConstant: 0});
  source.connect(analyser);
  const levels = new Float32Array(analyser.frequencyBinCount);
  let best = [0, -Infinity];
  const until = performance.now() + 1200;
  while (performance.now() < until) {
    await new Promise((done) => setTimeout(done, 100));
    analyser.getFloatFrequencyData(levels);
    levels.forEach((level, bin) => {
      if (level > best[1]) best = [(bin * context.sampleRate) / analyser.fftSize, level];
    });
  }
  source.disconnect();
  return [best[0], Math.max(best[1], -200)];
}"""

AUDIBLE = -60  # dB
PATIENCE = 30  # seconds; only a failure waits so long


SPEECH = """The north wind and the sun were disputing which was the stronger, when a traveler came along wrapped in a
warm cloak. They agreed that the one who first succeeded in making the traveler take his cloak off should be considered
stronger than the other. Then the north wind blew as hard as he could, but the more he blew, the more closely did the
traveler fold his cloak around him."""


def flags(folder: Path, name: str, colour: str, tone: int, *, lively: bool = False) -> list[str]:
    """Chromium's flags for a camera and a microphone of this person's own, who speaks and moves if ``lively``."""
    camera, microphone = folder / f"{name}.y4m", folder / f"{name}.wav"
    _write_camera(camera, COLOURS[colour], lively=lively)
    if lively:
        write_speech(microphone)
    else:
        _write_microphone(microphone, tone)
    return [f"--use-file-for-fake-video-capture={camera}", f"--use-file-for-fake-audio-capture={microphone}"]


def write_speech(path: Path) -> None:
    """Some twenty seconds of a voice: an encoder treats speech otherwise than beeps (espeak-ng)."""
    subprocess.run(["espeak-ng", "-w", str(path), SPEECH], check=True)


def _write_camera(path: Path, rgb: tuple[int, int, int], *, lively: bool = False) -> None:
    """Two seconds of one colour, in which a line moves so that frames differ (YUV4MPEG2, BT.601).

    If ``lively``, a pattern of blocks moves over it, which keeps an encoder as busy as a person does.
    """
    r, g, b = rgb
    y = round(16 + 0.257 * r + 0.504 * g + 0.098 * b)
    u = round(128 - 0.148 * r - 0.291 * g + 0.439 * b)
    v = round(128 + 0.439 * r - 0.368 * g - 0.071 * b)
    chroma = bytes([u]) * (WIDTH * HEIGHT // 4) + bytes([v]) * (WIDTH * HEIGHT // 4)
    dice = random.Random(7)
    blocks = [[dice.randrange(-25, 26) for _ in range(COLUMNS)] for _ in range(ROWS)]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(2 * FRAMES_PER_SECOND):
            luma = bytearray([y]) * (WIDTH * HEIGHT)
            if lively:
                shift = frame * WIDTH // (2 * FRAMES_PER_SECOND)  # once around
                luma = bytearray(b"".join(_blocks(y, line, shift) * (HEIGHT // ROWS) for line in blocks))
            row = frame * 2
            luma[row * WIDTH : (row + 4) * WIDTH] = bytes([min(235, y + 60)]) * (4 * WIDTH)
            file.write(b"FRAME\n" + bytes(luma) + chroma)


def _blocks(y: int, line: list[int], shift: int) -> bytes:
    """One row of pixels, moved to the left."""
    row = b"".join(bytes([min(235, max(16, y + each))]) * (WIDTH // COLUMNS) for each in line)
    return row[shift % WIDTH :] + row[: shift % WIDTH]


def _write_microphone(path: Path, tone: int) -> None:
    """Beeps: a steady tone is noise to a browser's noise suppression."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        samples = []
        for n in range(RATE * 2):
            beat = (n / RATE * 2.5) % 1  # of 0.4 s
            loud = max(0.0, math.sin(math.pi * beat / 0.7)) if beat < 0.7 else 0.0
            samples.append(int(12000 * loud * math.sin(2 * math.pi * tone * n / RATE)))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def looks(video: Locator, colour: str, within: float = PATIENCE) -> None:
    """Wait until the video shows this person's colour. AssertionError if it does not."""
    wanted, seen = COLOURS[colour], None
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        seen = video.evaluate(COLOUR_OF)
        if seen and all(abs(a - b) < 60 for a, b in zip(seen, wanted, strict=True)):
            return
        video.page.wait_for_timeout(100)
    raise AssertionError(f"{colour} is not to be seen, but {seen}")


def sounds(audio: Locator, tone: int, within: float = PATIENCE) -> None:
    """Wait until this person's tone is the loudest thing heard."""
    heard = None
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        heard = audio.evaluate(TONE_OF)
        if abs(heard[0] - tone) < 25 and heard[1] > AUDIBLE:
            return
    raise AssertionError(f"{tone} Hz is not to be heard, but {heard}")


def is_silent(audio: Locator, tone: int, within: float = PATIENCE) -> None:
    """Wait until nothing of this person is heard any more."""
    heard = None
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        heard = audio.evaluate(TONE_OF)
        if heard[1] <= AUDIBLE:
            return
    raise AssertionError(f"still heard: {heard}")


def frames(video: Locator) -> int:
    """How many frames the video has decoded."""
    return int(video.evaluate("(video) => video.getVideoPlaybackQuality().totalVideoFrames"))


def keeps_moving(video: Locator, more: int = 10, within: float = PATIENCE) -> None:
    """Wait until more frames are decoded. A connection that is replaced meanwhile begins to count anew."""
    start, deadline = frames(video), time.monotonic() + within
    while (count := frames(video)) < start + more:
        start = min(start, count)
        assert time.monotonic() < deadline, "the picture stands still"
        video.page.wait_for_timeout(50)
