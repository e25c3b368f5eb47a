"""One inbound stream: what a peer publishes, and who listens. Pure state, no I/O.

Times are seconds of a monotonic clock, handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from visits.relay.rtp import later

if TYPE_CHECKING:
    from visits.relay.peer import Peer
    from visits.relay.slots import Slot

CLOCK_RATE = {"audio": 48000, "video": 90000}  # RTP ticks per second
KEYFRAME_INTERVAL = 0.3  # seconds between two keyframe requests to one publisher
MAX_GAP = 60  # packets; a larger hole is not worth repairing, a keyframe is cheaper


class Precomputed(Protocol):
    """How the batched path moves a track's packets (routes.py)."""

    def void(self) -> None:
        """It is true no more."""

    def settle(self) -> None:
        """Enter what was moved into the books of the track, its owner and its slots."""

    def resume(self) -> None:
        """Go on behind the track's newest packet."""


class Track:
    """A microphone, camera or screen of one peer, or one layer of it."""

    owner: Peer

    def __init__(
        self, role: str, kind: str, payload_type: int, extensions: dict[str, int], rid: str | None = None
    ) -> None:
        self.role = role
        self.rid = rid  # which layer of a simulcast
        self.kind = kind
        self.payload_type = payload_type
        self.extensions = extensions  # URI to the id that this publisher uses
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.outputs: list[Slot] = []
        self.last_packet_at = float("-inf")
        self.packets = 0  # arrived the first time that they were sent, in order
        self.octets = 0  # of payload, without retransmissions
        self.keyframe_wanted = False
        self.siblings = [self]  # the layers of one picture: which of them live is told by comparing them
        self.nack = kind == "video"  # whether its publisher sends lost packets again
        self.highest: int | None = None  # the newest sequence number that arrived
        self.route: Precomputed | None = None  # while nothing changes
        self._asked_at = float("-inf")

    def is_new(self, sequence: int) -> bool:
        """Whether a packet comes in its turn. Sound that is sent again has no stream of its own to tell it by."""
        return self.highest is None or later(sequence, self.highest)

    def lost_before(self, sequence: int) -> list[int]:
        """Note an arrived packet; the sequence numbers that went missing just before it."""
        highest = self.highest
        if highest is None:
            self.highest = sequence
            return []
        if not later(sequence, highest):
            return []
        self.highest = sequence
        return missing_between(highest, sequence)

    def restarted(self) -> None:
        """The publisher sends under a new SSRC: numbering starts over."""
        self.changed()
        self.highest = None
        for slot in self.outputs:
            slot.resume()

    @property
    def steady(self) -> bool:
        """Whether all who see the track take its packets as they come, and nobody waits for a keyframe of it."""
        return not self.keyframe_wanted and all(slot.steady and slot.source is self for slot in self.outputs)

    def changed(self) -> None:
        """What is to be done with the track's packets has changed."""
        route, self.route = self.route, None
        if route is not None:
            route.void()

    def settle(self) -> None:
        """Enter what was moved by routes into the books of this track and of its siblings."""
        for track in self.siblings:
            if track.route is not None:
                track.route.settle()

    def may_ask(self, now: float) -> bool:
        """Whether a keyframe may be requested now; counts as asked if so.

        The one place that limits keyframe requests. A request that comes too early is
        remembered in `keyframe_wanted` and repeated by the clock until the keyframe comes.
        """
        if not self.keyframe_wanted:
            self.keyframe_wanted = True
            self.changed()  # from now on each packet is looked at
        if now - self._asked_at < KEYFRAME_INTERVAL:
            return False
        self._asked_at = now
        return True


def missing_between(highest: int, sequence: int) -> list[int]:
    """The sequence numbers between two that arrived, if they are few enough to be worth a repair."""
    gap = sequence - highest & 0xFFFF
    return [highest + k & 0xFFFF for k in range(1, gap)] if gap <= MAX_GAP else []
