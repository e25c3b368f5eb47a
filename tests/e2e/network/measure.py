"""What a page got of the call during some seconds."""

import wave
from array import array
from pathlib import Path
from typing import Any

from tests.e2e import calls

COUNTED = (
    "packetsReceived", "packetsLost", "framesDecoded", "freezeCount", "totalFreezesDuration", "nackCount", "pliCount",
    "totalSamplesReceived", "concealedSamples", "silentConcealedSamples", "fecPacketsReceived", "jitterBufferDelay",
    "jitterBufferEmittedCount", "bytesReceived",
)  # fmt: skip

PHRASE = 2.0  # seconds that are compared as one
DRIFT = 0.4  # seconds

# Notes the longest time between two pictures that are shown.
WATCH = """(video) => {
  const seen = (window.seen = {longest: 0, frames: 0, last: performance.now()});
  const look = (now) => {
    seen.longest = Math.max(seen.longest, now - seen.last);
    seen.last = now;
    seen.frames += 1;
    if (window.seen === seen) video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
}"""
LONGEST = "() => Math.max(window.seen.longest, performance.now() - window.seen.last) / 1000"

# How far the sound that is played is ahead of the picture that is shown (ms): when was each recorded, by the
# sender's clock, as the browser reckons from the sender reports that the relay passes on.
AHEAD = """async () => {
  const peer = window.connections.findLast((each) => each.connectionState === "connected");
  const played = {};
  for (const each of (await peer.getStats()).values()) {
    if (each.estimatedPlayoutTimestamp) played[each.kind] = each.estimatedPlayoutTimestamp;
  }
  return played.audio && played.video ? played.audio - played.video : null;
}"""

# Notes how loud it is in each 20 ms or so. (Without a module of its own, which the page's policy forbids.)
LISTEN = """async (audio) => {
  const context = new AudioContext();
  await context.resume();
  const ear = context.createScriptProcessor(1024, 1, 1);
  window.loudness = {step: 1024 / context.sampleRate, values: []};
  ear.onaudioprocess = ({inputBuffer}) => {
    const samples = inputBuffer.getChannelData(0);
    window.loudness.values.push(Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length));
  };
  context.createMediaStreamSource(audio.srcObject).connect(ear).connect(context.destination);
}"""


def count(page: Any, kind: str) -> dict[str, float]:
    """The counters of all streams of a kind that arrive."""
    streams = calls.entries(page, kind)
    return {name: sum(each.get(name) or 0 for each in streams) for name in COUNTED}


class Window:
    """From its making until ``close``, as one page saw it."""

    def __init__(self, page: Any, video: str = "#tiles video") -> None:
        self.page = page
        page.locator(video).evaluate(WATCH)
        self._before = {kind: count(page, kind) for kind in ("audio", "video")}

    def close(self) -> None:
        after = {kind: count(self.page, kind) for kind in ("audio", "video")}
        self.longest_gap = float(self.page.evaluate(LONGEST))  # seconds between two pictures
        self.audio, self.video = (
            {name: after[kind][name] - self._before[kind][name] for name in COUNTED} for kind in ("audio", "video")
        )
        heard = self.audio["totalSamplesReceived"] or 1
        self.concealed = (self.audio["concealedSamples"] - self.audio["silentConcealedSamples"]) / heard

    def __str__(self) -> str:
        audio, video = self.audio, self.video
        delay = 1000 * audio["jitterBufferDelay"] / (audio["jitterBufferEmittedCount"] or 1)
        return (
            f"concealed {self.concealed:.2%} of the sound (FEC packets {audio['fecPacketsReceived']:.0f}, asked for "
            f"{audio['nackCount']:.0f}, still lost {audio['packetsLost']:.0f} of {audio['packetsReceived']:.0f}), "
            f"held back {delay:.0f} ms; {video['framesDecoded']:.0f} pictures, freezes {video['freezeCount']:.0f} "
            f"({video['totalFreezesDuration']:.2f} s), longest gap {self.longest_gap:.2f} s, "
            f"asked for {video['nackCount']:.0f}, still lost {video['packetsLost']:.0f} of "
            f"{video['packetsReceived']:.0f}, {8 * video['bytesReceived'] / 1000:.0f} kbit"
        )


def ahead(page: Any, looks: int = 15) -> float:
    """The middle of several looks at how far the sound is ahead of the picture, in seconds."""
    seen = []
    for _ in range(looks):
        page.wait_for_timeout(200)
        seen.append(page.evaluate(AHEAD))
    known = sorted(each for each in seen if each is not None)
    assert known, "the browser cannot tell how sound and picture lie to each other"
    return float(known[len(known) // 2]) / 1000


def loudness(path: Path, step: float) -> list[float]:
    """How loud a recording is in each ``step`` seconds."""
    with wave.open(str(path)) as file:
        samples, size = array("h", file.readframes(file.getnframes())), int(file.getframerate() * step)
    return [
        (sum(each * each for each in samples[at : at + size]) / size) ** 0.5 / 32768
        for at in range(0, len(samples) - size, size)
    ]


def likeness(heard: list[float], spoken: list[float], step: float) -> float:
    """How far the rise and fall of what is heard is that of what is spoken over and over: correlation, at best 1.

    Both have a value for each ``step`` seconds. Each ``PHRASE`` is laid where it fits best, up to ``DRIFT`` off the
    whole: a browser plays a little faster or slower as its buffer wants, which nobody hears.
    """
    rounds = spoken * (len(heard) // len(spoken) + 3)
    whole = max(range(len(spoken)), key=lambda at: _correlation(heard, rounds[at : at + len(heard)]))
    phrase, drift = round(PHRASE / step), round(DRIFT / step)
    starts = range(0, len(heard) - phrase + 1, phrase)
    alike = [
        max(
            _correlation(heard[start : start + phrase], rounds[at : at + phrase])
            for at in range(max(whole + start - drift, 0), whole + start + drift + 1)
        )
        for start in starts
    ]
    return sum(alike) / len(alike)


def _correlation(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    a, b = [each - mean_a for each in a], [each - mean_b for each in b]
    power = (sum(each * each for each in a) * sum(each * each for each in b)) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / power if power else 0.0
