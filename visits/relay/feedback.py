"""RTCP between receivers and publishers: translated where a slot renumbers, limited where abused."""

from __future__ import annotations

from dataclasses import replace

from visits.relay import bandwidth, rtcp, sdp
from visits.relay.counters import Counters
from visits.relay.forward import Forwarder
from visits.relay.peer import Peer
from visits.relay.slots import Slot
from visits.relay.statistics import Statistics
from visits.relay.tracks import Track


class Feedback:
    """Handles what a peer reports about its slots and about its own streams."""

    def __init__(self, forwarder: Forwarder, counters: Counters, statistics: Statistics) -> None:
        self._forwarder = forwarder
        self._counters = counters
        self._statistics = statistics

    def receive(self, peer: Peer, packet: bytes, now: float) -> None:
        """Act on one decrypted compound packet of `peer`. ValueError if it is malformed."""
        blocks: dict[Track, list[rtcp.ReportBlock]] = {}
        for message in rtcp.parse(packet):
            if not peer.affords(_cost(message)):
                self._counters.refuse("over_budget", peer.peer_id)
                break
            match message:
                case rtcp.SenderReport():
                    self._sender_report(peer, message, now)
                case rtcp.ReportBlock():
                    self._collect(peer, message, blocks, now)
                case rtcp.KeyframeRequest():
                    slot = peer.by_slot_ssrc.get(message.ssrc)
                    if slot is not None and slot.target is not None:
                        self._counters.note("keyframe_requests")
                        self._forwarder.ask_keyframe(slot.target, now)
                case rtcp.Nack():
                    self._repair(peer, message, now)
                case rtcp.Remb():
                    self._estimate(peer, message, now)
        self._report(blocks)

    def _sender_report(self, peer: Peer, report: rtcp.SenderReport, now: float) -> None:
        """Pass on NTP time (lip sync) with the slot's own timestamp and counts."""
        track, is_rtx = peer.by_ssrc.get(report.ssrc, (None, False))
        if track is None or is_rtx:
            return
        for slot in track.outputs:
            if slot.source is track and not slot.waiting:
                translated = rtcp.SenderReport(
                    slot.ssrc,
                    report.ntp,
                    report.timestamp + slot.timestamp_offset & 0xFFFFFFFF,
                    slot.packets & 0xFFFFFFFF,
                    slot.octets & 0xFFFFFFFF,
                )
                self._forwarder.send_rtcp(slot.owner, rtcp.sender_report(translated))
                self._statistics.sent(slot, report.ntp, now)

    def _collect(
        self, peer: Peer, block: rtcp.ReportBlock, blocks: dict[Track, list[rtcp.ReportBlock]], now: float
    ) -> None:
        slot = peer.by_slot_ssrc.get(block.ssrc)
        if slot is not None:
            self._statistics.reported(slot, block, now)
        track = slot.source if slot is not None and not slot.waiting else None
        if slot is None or track is None or track.ssrc is None:
            return
        highest = block.highest - slot.sequence_offset & 0xFFFFFFFF  # with its cycles, or it would jump at a wrap
        blocks.setdefault(track, []).append(replace(block, ssrc=track.ssrc, highest=highest))

    def _report(self, blocks: dict[Track, list[rtcp.ReportBlock]]) -> None:
        by_publisher: dict[Peer, list[rtcp.ReportBlock]] = {}
        for track, some in blocks.items():
            by_publisher.setdefault(track.owner, []).extend(some)
        for publisher, all_of_them in by_publisher.items():
            self._forwarder.send_rtcp(publisher, rtcp.receiver_report(all_of_them))

    def _repair(self, peer: Peer, request: rtcp.Nack, now: float) -> None:
        """Resend what the slot still has; ask the publisher for what it never got."""
        slot = peer.by_slot_ssrc.get(request.ssrc)
        if slot is None or slot.source is None or slot.waiting:
            return
        missing = []
        for sequence in request.lost:
            packet = slot.sent.again(sequence, now)
            if packet is None:
                missing.append(sequence - slot.sequence_offset & 0xFFFF)
            elif packet:
                self._counters.note("nack_hit")
                self._forwarder.resend(slot, packet)
        if missing and slot.kind == "video" and slot.source.ssrc is not None:
            self._counters["nack_miss"] += len(missing)
            self._forwarder.send_rtcp(slot.source.owner, rtcp.nack(slot.source.ssrc, missing))

    def _estimate(self, peer: Peer, remb: rtcp.Remb, now: float) -> None:
        """Divide a receiver's estimate among its publishers, and tell them the least of all."""
        slots: list[Slot] = []
        for ssrc in dict.fromkeys(remb.ssrcs):
            slot = peer.by_slot_ssrc.get(ssrc)
            if slot is not None and slot.kind == "video":
                slots.append(slot)
        touched: dict[Peer, None] = {}
        for slot, share in bandwidth.divide(remb.bitrate, slots):
            track = slot.source
            if track is not None:
                track.estimates[slot.ssrc] = (share, now)
                touched[track.owner] = None
        for publisher in touched:
            self.tell_bitrate(publisher, now)

    def tell_bitrate(self, publisher: Peer, now: float) -> None:
        """Send the publisher one REMB for all of its video, or the start value."""
        total, ssrcs = 0, []
        for track in publisher.tracks.values():
            if track.kind != "video" or track.ssrc is None:
                continue
            rate = bandwidth.allowed(track, now)
            if bandwidth.needs_boot(track, publisher.connected_at, now):
                rate = max(rate or 0, bandwidth.BOOT_BITRATE)
            if rate is not None:
                total += rate
                ssrcs.append(track.ssrc)
        if ssrcs:
            self._counters.note("remb_sent")
            self._forwarder.send_rtcp(publisher, rtcp.remb(total, ssrcs))


def _cost(message: rtcp.Message) -> int:
    """What acting on a message is charged with: about the packets that it makes the relay send."""
    match message:
        case rtcp.Nack():
            return len(message.lost)
        case rtcp.SenderReport() | rtcp.Remb():
            return sdp.MAX_SLOTS  # one to each of the others
        case _:
            return 1
