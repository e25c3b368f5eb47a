"""Who sends the reports that compiled code handles (compound.py): a row for each peer whose report has passed once.

What makes it untrue voids it at once (`Peer.changed`), and the next report goes the portable way again.
"""

from __future__ import annotations

from visits.relay import rtp
from visits.relay.hooks import InPlace
from visits.relay.mmsg import address_word
from visits.relay.peer import Peer
from visits.relay.routes import as_word
from visits.relay.tables import MAX_RECEIVED, OWN_SSRCS, REPORTS, Tables


class Participant:
    """The row of one peer."""

    def __init__(self, participants: Participants, row: int, peer: Peer, kept: list[object]) -> None:
        self.row = row
        self.peer = peer
        self._participants = participants
        self._kept = kept  # what the addresses in the row point to, and what frees it

    def void(self) -> None:
        """Be found no more."""
        self._participants.remove(self)

    def learn(self, ssrc: int) -> None:
        """Handle reports under that SSRC, too, if there is room for it."""
        row = self._participants.tables.participants[self.row]
        known = int(row["known"])
        if known < OWN_SSRCS and ssrc not in row["ssrcs"][:known]:
            row["ssrcs"][known] = ssrc
            row["known"] = known + 1


class Participants:
    """All of them, by their rows."""

    def __init__(self, tables: Tables, srtp: InPlace) -> None:
        self.tables = tables
        self.by_row: dict[int, Participant] = {}
        self._srtp = srtp

    def remove(self, participant: Participant) -> None:
        """Let the row be found no more."""
        if self.by_row.pop(participant.row, None) is not None:
            self.tables.remove(participant.row)

    def consider(self, peer: Peer, packet: bytes) -> None:
        """The peer's SRTCP packet has gone the portable way: see whether the next ones need not."""
        ssrc = int.from_bytes(packet[4:8], "big")
        if ssrc not in peer.admitted:
            return  # it was not let through
        if not isinstance(peer.participant, Participant):
            peer.participant = self._make(peer)
        if isinstance(peer.participant, Participant):
            peer.participant.learn(ssrc)

    def _make(self, peer: Peer) -> Participant | None:
        slots = peer.every_slot()
        if peer.address is None or peer.link is None or not peer.link.ready or len(slots) > MAX_RECEIVED:
            return None
        sender = address_word(peer.address)
        old = self.by_row.get(self.tables.find(sender, REPORTS))
        if old is not None:  # of who had the address before
            old.peer.changed()
        inward, _, keys = peer.link.contexts()
        number = self.tables.add(sender, REPORTS)
        if number is None:
            return None
        row = self.tables.participants[number]
        row["inward"] = self._srtp.pointer(inward)
        row["purse"], row["line"], row["losses"] = (
            book.buffer_info()[0] for book in (peer.purse, peer.line.book, peer.losses.book)
        )
        row["known"], row["slots"] = 0, len(slots)
        for place, slot in enumerate(slots):
            row["slot_ssrcs"][place], row["books"][place] = as_word(slot.ssrc), slot.reported.book.buffer_info()[0]
            row["pictures"][place] = slot.kind == "video"
        participant = self.by_row[number] = Participant(self, number, peer, [keys, peer, *slots])
        return participant


def is_report(packet: bytes) -> bool:
    """Whether a datagram is RTCP, by its first two bytes and its length."""
    return len(packet) >= rtp.HEADER.size and 128 <= packet[0] <= 191 and rtp.is_rtcp(packet)
