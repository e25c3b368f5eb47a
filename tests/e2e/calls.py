"""What a page's connection says of the call, in any browser (getStats), and waiting for it."""

import time
from typing import Any

from tests.e2e.media import PATIENCE

# Keeps the page's connections, so that a test can ask them.
KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) {
    super(...given);
    window.connections.push(this);
  }
};
"""

# The entries of one type of the connection that carries the call.
ENTRIES = """async (type) => {
  const peer = window.connections.findLast((each) => each.connectionState === "connected");
  return peer ? [...(await peer.getStats()).values()].filter((each) => each.type === type) : [];
}"""

# Resolves when a video shows something.
HAS_PICTURE = """async (video) => {
  while (video.readyState < 2) await new Promise((done) => setTimeout(done, 50));
  return video.videoWidth > 0;
}"""

QUIET = 0.01  # of 1; the test's tones are far above


def entries(page: Any, kind: str, *, type: str = "inbound-rtp") -> list[dict[str, Any]]:
    """The statistics of the streams of a kind ("audio", "video") over which something came or went."""
    found: list[dict[str, Any]] = page.evaluate(ENTRIES, type)
    alive = "packetsReceived" if type == "inbound-rtp" else "packetsSent"
    return [each for each in found if each.get("kind") == kind and each.get(alive)]


def hears(page: Any, within: float = PATIENCE) -> None:
    """Wait until sound comes out of the decoder. It needs no sound device, as an AudioContext does."""
    levels: list[float] = []
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        levels = [each.get("audioLevel") or 0 for each in entries(page, "audio")]
        if any(level > QUIET for level in levels):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"nothing is heard: {levels}")


def sees(page: Any, more: int = 10, within: float = PATIENCE) -> None:
    """Wait until more frames of some stream are decoded."""

    def decoded() -> int:
        return sum(each.get("framesDecoded") or 0 for each in entries(page, "video"))

    start, deadline = decoded(), time.monotonic() + within
    while (now := decoded()) < start + more:
        start = min(start, now)  # a new connection counts from nothing
        assert time.monotonic() < deadline, "no picture comes"
        page.wait_for_timeout(50)
