"""RTP from publishers to slots, and keyframe requests back, packet by packet: all of the portable path, and what the
batched one leaves.
"""

from __future__ import annotations

from collections.abc import Callable

from visits.relay import rtcp, rtp, vp8
from visits.relay.counters import Counters
from visits.relay.peer import Address, Peer
from visits.relay.slots import Slot
from visits.relay.tracks import Track

Send = Callable[[bytes, Address], None]


class Forwarder:
    """Rewrites and re-encrypts packets; `send` puts a datagram on the wire."""

    def __init__(self, send: Send, counters: Counters) -> None:
        self._send = send
        self._counters = counters

    def forward(self, peer: Peer, packet: bytes, now: float) -> None:
        """Forward one decrypted RTP packet of `peer`. ValueError if it is malformed."""
        start = rtp.payload_start(packet)
        if peer.transport_sequence is not None:
            number = rtp.extension_value(packet, peer.transport_sequence)
            if number is not None and len(number) == 2:
                peer.arrivals.note(int.from_bytes(number, "big"), now)
                if peer.arrivals.is_due(now):
                    self.report_arrivals(peer, now)
        found = peer.find(packet, int.from_bytes(packet[8:12], "big"))
        if found is None:
            self._counters.refuse("rtp_unknown_stream", peer.peer_id)
        elif not peer.may_send(found[0].kind, len(packet)):
            self._counters.refuse("over_bitrate", peer.peer_id)
        else:
            self._pass(*found, packet, start, now)

    def _pass(self, track: Track, is_rtx: bool, packet: bytes, start: int, now: float) -> None:
        """Send the packet of a track to each slot that takes it."""
        original = self._unwrap(track, packet, start) if is_rtx else packet
        if original is None:
            return
        if original[1] & 0x7F != track.payload_type:
            self._counters.refuse("rtp_payload_type", track.owner.peer_id)
            return
        sequence = int.from_bytes(original[2:4], "big")
        if not is_rtx:  # by which browsers also send again what came, to probe their line: also of a layer that ended
            track.last_packet_at = now
            track.packets += track.is_new(sequence)
            track.octets += len(original) - start
        self.repair(track, sequence)
        keyframe = track.kind == "video" and vp8.is_keyframe(original, start)
        if keyframe:
            track.keyframe_wanted = False
        numbers = vp8.read(original, start) if track.kind == "video" else None
        for slot in tuple(track.outputs):
            self._place(slot, track, original, start, keyframe, numbers, now)

    def _unwrap(self, track: Track, packet: bytes, start: int) -> bytes | None:
        """The packet that a retransmission holds; its payload starts at `start` too."""
        if track.ssrc is None:
            return None
        original = rtp.unwrap_rtx(packet, start, track.ssrc, track.payload_type)
        if original is None:
            self._counters.note("rtx_probe")
        return original

    def repair(self, track: Track, sequence: int) -> None:
        """Ask for what got lost before `sequence` at once: a receiver would ask a trip later."""
        lost = track.lost_before(sequence)
        if lost:
            track.owner.stir()  # it should hear of that soon
        self.ask_again(track, lost)

    def ask_again(self, track: Track, lost: list[int]) -> None:
        """Ask the publisher for packets, if it sends any again."""
        if lost and track.nack and track.ssrc is not None:
            self._counters["nack_own"] += len(lost)
            self.send_rtcp(track.owner, rtcp.nack(track.ssrc, lost))

    def _place(
        self, slot: Slot, track: Track, packet: bytes, start: int, keyframe: bool, numbers: vp8.Numbers | None,
        now: float,
    ) -> None:  # fmt: skip
        """Send the packet under the slot's numbers, if it may pass."""
        first, second, sequence, timestamp, _ = rtp.HEADER.unpack_from(packet)
        placed = slot.place(track, sequence, timestamp, keyframe, now)
        if placed is None:
            return
        out = bytearray(packet)
        marker = second & rtp.MARKER | (rtp.MARKER if placed.first and not keyframe else 0)
        rtp.HEADER.pack_into(out, 0, first, marker | slot.payload_type, placed.sequence, placed.timestamp, slot.ssrc)
        rtp.rewrite_extensions(out, slot.extension_ids)
        rtp.stamp(out, slot.extensions.get(rtp.ABS_SEND_TIME), now)
        if placed.first:
            slot.numbering.begin(numbers)
        if numbers is not None:
            slot.numbering.note(numbers)
            slot.numbering.write(out, numbers)
        self._emit(slot, placed.sequence, bytes(out), len(packet) - start)

    def _emit(self, slot: Slot, sequence: int, packet: bytes, octets: int) -> None:
        receiver = slot.owner
        if receiver.link is None or receiver.address is None or not receiver.link.ready:
            return
        protected = receiver.link.protect(packet)
        if protected is None:
            self._counters.refuse("srtp_protect", receiver.peer_id)
            return
        self._send(protected, receiver.address)
        slot.sent.keep(sequence, protected)
        slot.packets += 1
        slot.octets += octets
        self._counters["forwarded"] += 1

    def resend(self, slot: Slot, protected: bytes) -> None:
        """Answer a NACK with the identical SRTP packet."""
        if slot.owner.address is not None:
            self._send(protected, slot.owner.address)

    def send_rtcp(self, peer: Peer, packet: bytes) -> None:
        """Encrypt and send an RTCP packet to `peer`, if it is connected."""
        if peer.link is None or peer.address is None or not peer.link.ready:
            return
        protected = peer.link.protect_rtcp(packet)
        if protected is None:
            self._counters.refuse("srtcp_protect", peer.peer_id)
            return
        self._send(protected, peer.address)

    def report_arrivals(self, peer: Peer, now: float) -> None:
        """Tell a publisher how its packets arrive."""
        report = peer.arrivals.report(peer.reported_ssrc, now)
        if report is not None:
            self.send_rtcp(peer, report)

    def ask_keyframe(self, track: Track, now: float) -> None:
        """Ask the publisher for a keyframe, now or as soon as the limit allows."""
        track.owner.stir()
        if track.kind == "video" and track.ssrc is not None and track.may_ask(now):
            self._counters.note("pli_sent")
            self.send_rtcp(track.owner, rtcp.pli(track.ssrc))
