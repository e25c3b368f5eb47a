"""What one peer needs by the clock: packet budget, reports, keyframe requests until they come, its layers."""

from __future__ import annotations

from collections.abc import Callable

from visits.relay import bandwidth, pictures
from visits.relay.config import Limits
from visits.relay.feedback import Feedback
from visits.relay.forward import Forwarder
from visits.relay.peer import BUDGET, PICTURES, SOUND, Peer
from visits.relay.seating import hungry
from visits.relay.tracks import Track

SENDING = 2.0  # seconds; a camera silent for longer has no keyframe to give
CALM = 2.5  # seconds between two looks after who has no trouble, and so between two reports to it
QUIET = 0.5  # seconds; who was not heard for longer is looked at each time, since it may be gone
LOOK_PAUSE = 0.5  # seconds between two looks at rates and lines


class Upkeep:
    """`refill` is called some five times a second for each peer, `serve` too, but less often while all is calm.

    `stepped` hears of peers whose view took a step on the ladder.
    """

    def __init__(
        self, limits: Limits, forwarder: Forwarder, feedback: Feedback, stepped: Callable[[Peer], None]
    ) -> None:
        self._full = {
            BUDGET: limits.packets_per_second, PICTURES: limits.picture_bitrate / 8, SOUND: limits.sound_bitrate / 8,
        }  # fmt: skip
        self._calm_for = min(CALM, limits.away_after / 2)  # or who falls silent would be noticed late
        self._forwarder = forwarder
        self._feedback = feedback
        self._stepped = stepped

    def fill(self, peer: Peer) -> None:
        """Give a new peer what it may ask for and send at once: as much as in any second."""
        for at, full in self._full.items():
            peer.purse[at] = full

    def refill(self, peer: Peer, now: float) -> None:
        """Refill the peer's purse; at every turn, or it would run dry while all is calm."""
        purse, elapsed = peer.purse, now - peer.turned_at
        for at, full in self._full.items():
            purse[at] = min(full, purse[at] + full * elapsed)
        peer.turned_at = now

    def serve(self, peer: Peer, now: float) -> None:
        """If the peer is connected, tell it what is due and repeat what it has not heeded yet."""
        if not peer.connected:
            return
        if peer.arrivals.is_due(now):
            self._forwarder.report_arrivals(peer, now)
        for track in peer.tracks.values():
            if self._owes_keyframe(track, now):
                self._forwarder.ask_keyframe(track, now)
        is_due = now - peer.looked_at >= LOOK_PAUSE
        if is_due or peer.is_layered:  # of who sends one size there is nothing to be quick about
            self._see_layers(peer, now)
        if is_due:
            peer.looked_at = now
            peer.measure(now)
            peer.line.watch(peer.sent.rate)
            # A line that had trouble is tried again, and a publisher may fit itself to it.
            peer.line.changed |= bool(peer.steps) or peer.line.limit < bandwidth.FIRST
        if peer.line.changed:
            self.choose(peer, now)
        if now - peer.told_at >= self._told_every(peer, now):
            self._feedback.tell(peer, now)
            if self._is_calm(peer, now):  # not in another turn, or who was stirred would not hear of it
                peer.calm_until = now + self._calm_for

    @staticmethod
    def _is_calm(peer: Peer, now: float) -> bool:
        """Whether there is nothing to be quick about, until something stirs the peer."""
        return (
            peer.line.is_calm(now)
            and peer.transport_sequence is not None  # else it goes by the REMB alone
            and not (peer.is_lossy or peer.steps or _is_chosen_from(peer))
            and now - peer.heard_at < QUIET
            and not any(_is_wanted(track) for track in peer.tracks.values())
        )

    @staticmethod
    def _see_layers(publisher: Peer, now: float) -> None:
        publisher.settle()
        if pictures.note_alive(publisher, now):
            for receiver in publisher.watchers:
                receiver.line.changed = True
                receiver.stir()

    def choose(self, receiver: Peer, now: float) -> None:
        """Give the receiver the layers that suit it now."""
        publishers = pictures.choose(receiver, now)
        for track in hungry(receiver):
            self._forwarder.ask_keyframe(track, now)
        for _, tracks in receiver.watching.values():
            publisher = tracks[0].owner
            ceiling = pictures.ceiling(publisher, now)
            if ceiling < publisher.ceiling:
                self._feedback.tell(publisher, now)
            elif ceiling > publisher.ceiling:
                publisher.stir()
        for peer in publishers | ({receiver} if publishers else set()):
            self._stepped(peer)

    @staticmethod
    def _told_every(peer: Peer, now: float) -> float:
        # Who is not told of each packet believes the REMB, and only at the start so quickly.
        begins = now - peer.connected_at < bandwidth.BOOT_SPAN and peer.transport_sequence is None
        return bandwidth.BOOT_PAUSE if begins else bandwidth.REPEAT

    @staticmethod
    def _owes_keyframe(track: Track, now: float) -> bool:
        return now - track.last_packet_at <= SENDING and _is_wanted(track)


def _is_chosen_from(publisher: Peer) -> bool:
    """Whether others may have to be given another size of the publisher's pictures soon; for one, only one is made."""
    if not publisher.is_layered:
        return False
    return publisher.audience > 1 or any(
        sum(track in publisher.alive_since for track in family) > 1 for family in publisher.families
    )


def _is_wanted(track: Track) -> bool:
    """Whether somebody waits for a keyframe of the track: of one that has a route, nobody does."""
    return track.route is None and any(
        track.keyframe_wanted or (slot.hungry and slot.target is track) for slot in track.outputs
    )
