"""RTP from publishers to slots, and keyframe requests back. The portable path, packet by packet.

A batched path can replace this class: it needs `forward`, `send_rtcp` and `ask_keyframe`.
"""

from __future__ import annotations

from collections.abc import Callable

from visits.relay import rtcp, rtp
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
        first, second, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(packet)
        found = peer.find(packet, ssrc)
        if found is None:
            self._counters.refuse("rtp_unknown_stream", peer.peer_id)
            return
        track, is_rtx = found
        if is_rtx:
            if track.ssrc is None:
                return
            original = rtp.unwrap_rtx(packet, start, track.ssrc, track.payload_type)
            if original is None:
                self._counters.note("rtx_probe")
                return
            packet = original
            first, second, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(packet)
        elif second & 0x7F != track.payload_type:
            self._counters.refuse("rtp_payload_type", peer.peer_id)
            return
        track.packets += 1
        track.last_packet_at = now
        keyframe = track.kind == "video" and rtp.vp8_keyframe(packet, start)
        if keyframe:
            track.keyframe_wanted = False
        lost = track.lost_before(sequence)
        if lost and track.kind == "video" and track.ssrc is not None:
            self._counters["nack_own"] += len(lost)
            self.send_rtcp(peer, rtcp.nack(track.ssrc, lost))
        for slot in tuple(track.outputs):
            placed = slot.place(track, sequence, timestamp, keyframe, now)
            if placed is None:
                continue
            out = bytearray(packet)
            marker = second & rtp.MARKER | (rtp.MARKER if placed.first and not keyframe else 0)
            rtp.HEADER.pack_into(
                out,
                0,
                first,
                marker | slot.payload_type,
                placed.sequence,
                placed.timestamp,
                slot.ssrc,
            )
            rtp.rewrite_extensions(out, slot.extension_ids)
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
        slot.remember(sequence, protected)
        slot.packets += 1
        slot.octets += octets
        slot.rate_octets += octets
        receiver.packets_out[slot.kind] += 1
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
        peer.packets_out["rtcp"] += 1

    def ask_keyframe(self, track: Track, now: float) -> None:
        """Ask the publisher for a keyframe, now or as soon as the limit allows."""
        if track.kind == "video" and track.ssrc is not None and track.may_ask(now):
            self._counters.note("pli_sent")
            self.send_rtcp(track.owner, rtcp.pli(track.ssrc))
