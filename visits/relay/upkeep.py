"""What one peer needs by the clock: packet budget, keyframe requests until they come, REMB."""

from __future__ import annotations

from visits.relay import bandwidth
from visits.relay.config import Limits
from visits.relay.feedback import Feedback
from visits.relay.forward import Forwarder
from visits.relay.peer import Peer
from visits.relay.tracks import Track

SENDING = 2.0  # seconds; a camera silent for longer has no keyframe to give


class Upkeep:
    """Called some ten times a second for each peer."""

    def __init__(self, limits: Limits, forwarder: Forwarder, feedback: Feedback) -> None:
        self._limits = limits
        self._forwarder = forwarder
        self._feedback = feedback
        self._last: float | None = None
        self._elapsed = 0.0

    def elapsed(self, now: float) -> float:
        """Seconds since the last call."""
        self._elapsed = now - self._last if self._last is not None else 0.0
        self._last = now
        return self._elapsed

    def serve(self, peer: Peer, now: float) -> None:
        """Refill the budget; if the peer is connected, repeat what it has not heeded yet."""
        limit = self._limits.packets_per_second
        peer.budget = min(limit, peer.budget + limit * self._elapsed)
        if not peer.connected:
            return
        report = peer.arrivals.report(next(iter(peer.by_ssrc), 0))
        if report is not None:
            self._forwarder.send_rtcp(peer, report)
        boots = False
        for track in peer.tracks.values():
            if self._owes_keyframe(track, now):
                self._forwarder.ask_keyframe(track, now)
            boots = boots or bandwidth.needs_boot(track, peer.connected_at, now)
        if boots and now - peer.vouched_at >= bandwidth.BOOT_PAUSE:
            peer.vouched_at = now
            self._feedback.tell_bitrate(peer, now)

    @staticmethod
    def _owes_keyframe(track: Track, now: float) -> bool:
        if now - track.last_packet_at > SENDING:
            return False
        return any(track.keyframe_wanted or (slot.hungry and slot.target is track) for slot in track.outputs)
