"""One outbound slot: many publishers in turn, one continuous stream to the receiver. No I/O.

The receiver negotiates a slot once and sees one SSRC, one payload type, sequence numbers
without jumps and timestamps that follow the clock, whoever is behind it.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from visits.relay.reported import Reported
from visits.relay.resend import KEPT, Sent
from visits.relay.rtp import MID, later
from visits.relay.tracks import CLOCK_RATE, Track
from visits.relay.vp8 import Numbering

if TYPE_CHECKING:
    from visits.relay.peer import Peer


class Placed(NamedTuple):
    """Where a publisher's packet goes in the slot's own numbering."""

    sequence: int
    timestamp: int
    first: bool  # the first packet after a switch: marks the start of a talk spurt


class Slot:
    """The rewrite state of one stream towards one receiver."""

    owner: Peer

    def __init__(
        self,
        kind: str,
        mid: str,
        ssrc: int,
        rtx_ssrc: int | None,
        payload_type: int,
        extensions: dict[str, int],
    ) -> None:
        self.kind = kind
        self.mid = mid
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.payload_type = payload_type
        self.extensions = extensions  # URI to the id that this receiver negotiated
        self.source: Track | None = None  # whose packets pass now
        self.pending: Track | None = None  # who takes over with the next keyframe
        self.waiting = True  # for a packet to start from
        self.extension_ids: dict[int, int] = {}  # publisher's id to receiver's id
        self.sequence_offset = 0
        self.timestamp_offset = 0
        self.packets = 0
        self.octets = 0
        self.span = 0  # sequence numbers since the last switch
        self.last_sequence = random.getrandbits(15)
        self.last_timestamp = random.getrandbits(31)
        self.last_at: float | None = None
        self.sent = Sent()
        self.reported = Reported()
        self.numbering = Numbering()  # of pictures

    @property
    def target(self) -> Track | None:
        """The track that this slot shows or is about to show."""
        return self.pending or self.source

    @property
    def hungry(self) -> bool:
        """Whether the slot cannot go on without a keyframe of `target`."""
        return self.kind == "video" and (self.pending is not None or self.waiting)

    def assign(self, track: Track | None) -> None:
        """Show `track` from its next keyframe on (sound: next packet), or nothing."""
        if track is self.target:
            return
        if self.pending is not None:
            self._stop_waiting_for(self.pending)
        if track is None or track is self.source:
            if track is None:
                self._let_go()
            return
        self.pending = track
        track.outputs.append(self)
        track.changed()

    def drop(self, track: Track) -> None:
        """Forget a track whose publisher is gone."""
        if track is self.pending:
            self._stop_waiting_for(track)
        elif track is self.source:
            self._let_go()

    def _stop_waiting_for(self, track: Track) -> None:
        self.pending = None
        track.outputs.remove(self)
        track.changed()

    def _let_go(self) -> None:
        if self.source is not None:
            self.source.outputs.remove(self)
            self.source.changed()
        self.source = None
        self.waiting = True

    def resume(self) -> None:
        """Wait for a keyframe before going on (the publisher's numbering started over)."""
        self.waiting = True
        if self.source is not None:
            self.source.changed()

    @property
    def steady(self) -> bool:
        """Whether the packets of `source` pass as they come, each under the number after the last one's."""
        return self.source is not None and not self.waiting

    def place(self, track: Track, sequence: int, timestamp: int, keyframe: bool, now: float) -> Placed | None:
        """The slot's numbering for a packet of `track`; None if it must not pass."""
        ready = keyframe or self.kind == "audio"
        if track is self.pending and ready:
            self._let_go()
            self.source, self.pending = track, None
        if track is not self.source or (self.waiting and not ready):
            return None
        first = self.waiting
        if first:
            self._start(track, sequence, timestamp, now)
        out_sequence = sequence + self.sequence_offset & 0xFFFF
        out_timestamp = timestamp + self.timestamp_offset & 0xFFFFFFFF
        if first or later(out_sequence, self.last_sequence):
            step = out_sequence - self.last_sequence & 0xFFFF
            self.sent.skip(self.last_sequence + 1, step - 1)
            self.span += step
            self.last_sequence, self.last_timestamp = out_sequence, out_timestamp
            self.last_at = now
        elif self._is_taken(out_sequence):
            return None
        return Placed(out_sequence, out_timestamp, first)

    def _is_taken(self, sequence: int) -> bool:
        """Whether a late packet's number belongs, or may belong, to a packet that was sent.

        From before the switch it is another publisher's. And a packet whose retransmission came
        first must not go out again: SRTP would use one nonce for two packets that differ in their
        extensions, and AES-GCM would give its authentication key away (RFC 7714).
        """
        behind = self.last_sequence - sequence & 0xFFFF
        return behind >= KEPT or self.precedes_switch(sequence) or self.sent.holds(sequence)

    def precedes_switch(self, sequence: int) -> bool:
        """Whether a number was used, or passed over, before the slot showed what it shows now."""
        return (self.last_sequence - sequence & 0xFFFF) >= self.span

    def _start(self, track: Track, sequence: int, timestamp: int, now: float) -> None:
        elapsed = 0.0 if self.last_at is None else max(now - self.last_at, 0.001)
        ticks = int(elapsed * CLOCK_RATE[self.kind])
        self.sequence_offset = self.last_sequence + 1 - sequence & 0xFFFF
        self.timestamp_offset = self.last_timestamp + ticks - timestamp & 0xFFFFFFFF
        self.span = 0
        self.reported.begin()
        self.extension_ids = {
            number: self.extensions[uri]
            for uri, number in track.extensions.items()
            # The publisher's mid would name a wrong m-section; the announced SSRC suffices.
            if uri in self.extensions and uri != MID
        }
        self.waiting = False
