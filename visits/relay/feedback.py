"""RTCP between receivers and publishers: translated where a slot renumbers, limited where abused.

Each leg is looked at by itself: a receiver's reports say what its own line takes, and a publisher hears
from the relay how its packets arrive there. So nobody's bad line makes somebody else's picture worse.
"""

from __future__ import annotations

from visits.relay import pictures, rtcp, sdp
from visits.relay.arrivals import Reception
from visits.relay.counters import Counters
from visits.relay.forward import Forwarder
from visits.relay.peer import Peer
from visits.relay.slots import Slot


class Feedback:
    """Handles what a peer reports about its slots and about its own streams."""

    def __init__(self, forwarder: Forwarder, counters: Counters) -> None:
        self._forwarder = forwarder
        self._counters = counters

    def receive(self, peer: Peer, packet: bytes, now: float) -> None:
        """Act on one decrypted compound packet of `peer`. ValueError if it is malformed.

        Of an ordinary one compiled code does the same by itself (compound.py).
        """
        for message in rtcp.parse(packet):
            if not peer.affords(_cost(message)):
                self._counters.refuse("over_budget", peer.peer_id)
                break
            match message:
                case rtcp.SenderReport():
                    self._sender_report(peer, message, now)
                case rtcp.ReportBlock():
                    self._collect(peer, message, now)
                case rtcp.KeyframeRequest():
                    slot = peer.by_slot_ssrc.get(message.ssrc)
                    if slot is not None and slot.target is not None:
                        self._counters.note("keyframe_requests")
                        self._forwarder.ask_keyframe(slot.target, now)
                case rtcp.Nack():
                    self._repair(peer, message, now)
                case rtcp.Remb():
                    pictures.weigh(peer, now)
                    peer.line.estimated(message.bitrate, peer.sent.rate, now)
        lost = peer.losses.read(now)
        if lost is not None:
            pictures.weigh(peer, now)
            peer.line.lost(lost, peer.sent.rate, now)
        peer.line.watch(peer.sent.rate)
        peer.stir()

    def _sender_report(self, peer: Peer, report: rtcp.SenderReport, now: float) -> None:
        """Pass on NTP time (lip sync) with the slot's own timestamp and counts."""
        track, is_rtx = peer.by_ssrc.get(report.ssrc, (None, False))
        if track is None or is_rtx:
            return
        track.settle()
        heard = peer.receptions.setdefault(report.ssrc, Reception()).heard
        heard[0], heard[1] = report.ntp >> 16 & 0xFFFFFFFF, now
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
                slot.reported.sent(report.ntp, now)

    @staticmethod
    def _collect(peer: Peer, block: rtcp.ReportBlock, now: float) -> None:
        slot = peer.by_slot_ssrc.get(block.ssrc)
        if slot is None:
            return
        more = slot.reported.note(block, now)
        if slot.kind == "video":
            peer.losses.note(more, max(0, (block.loss >> 24) - _lost_before(slot)) / 256)
        elif block.loss >> 24 and slot.source is not None:
            slot.source.owner.stir()  # it should hear of that soon

    def _repair(self, peer: Peer, request: rtcp.Nack, now: float) -> None:
        """Resend what the slot still has; ask the publisher for what it never got."""
        slot = peer.by_slot_ssrc.get(request.ssrc)
        if slot is None or slot.source is None or slot.waiting:
            return
        slot.source.settle()
        missing = []
        for sequence in request.lost:
            if slot.precedes_switch(sequence):
                continue  # another picture's: nobody needs it any more
            packet = slot.sent.again(sequence, now)
            if packet is None:
                missing.append(sequence - slot.sequence_offset & 0xFFFF)
            elif packet and (slot.kind == "audio" or peer.line.affords_repair(len(packet), peer.sent.rate, now)):
                self._counters.note("nack_hit")
                self._forwarder.resend(slot, packet)
        if missing and slot.source.nack and slot.source.ssrc is not None:
            self._counters["nack_miss"] += len(missing)
            self._forwarder.send_rtcp(slot.source.owner, rtcp.nack(slot.source.ssrc, missing))

    def tell(self, publisher: Peer, now: float) -> None:
        """Tell the publisher how its streams arrive, and what it may send of its pictures.

        For sound the loss that the worst of its receivers sees counts too: Opus arms itself against it.
        """
        publisher.told_at = now
        publisher.settle()
        blocks, ssrcs = [], []
        for track in publisher.tracks.values():
            if track.ssrc is None:
                continue
            if track.kind == "video":
                ssrcs.append(track.ssrc)
            lost = 0
            if track.kind == "audio":
                lost = max((slot.reported.lost(now) for slot in track.outputs), default=0)
            reception = publisher.receptions.setdefault(track.ssrc, Reception())
            block = reception.report(track, lost, now)
            if block is not None:
                blocks.append(block)
        publisher.is_lossy = any(block.loss >> 24 for block in blocks)
        message = rtcp.receiver_report(blocks)
        if ssrcs:
            publisher.ceiling = pictures.ceiling(publisher, now)
            message += rtcp.remb(publisher.ceiling, ssrcs)
            self._counters.note("remb_sent")
        self._forwarder.send_rtcp(publisher, message)


def _lost_before(slot: Slot) -> int:
    """What the publisher's own line has lost of a slot's stream lately, in 1/256: the receiver misses it, too."""
    source = slot.source
    if source is None or source.ssrc is None:
        return 0
    reception = source.owner.receptions.get(source.ssrc)
    return reception.lost if reception is not None else 0


def _cost(message: rtcp.Message) -> int:
    """What acting on a message is charged with: about the packets that it makes the relay send."""
    match message:
        case rtcp.Nack():
            return len(message.lost)
        case rtcp.SenderReport():
            return sdp.MAX_SLOTS  # one to each of the others
        case _:
            return 1
