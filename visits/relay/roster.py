"""The live peer copies of a node, by each way that leads to one. No I/O."""

from __future__ import annotations

from visits.relay.peer import Address, Peer

SILENT_AFTER = 0.3  # seconds; from then on a check from elsewhere moves the peer
OCCUPIED_FOR = 2.0  # seconds; an address heard that lately is not given to another peer


class Roster:
    """Peers by ICE ufrag, by address and by stream."""

    def __init__(self) -> None:
        self.by_ufrag: dict[str, Peer] = {}
        self.by_address: dict[Address, Peer] = {}
        self.by_stream: dict[int, Peer] = {}  # SSRC of an authentic packet to its sender

    def __len__(self) -> int:
        return len(self.by_ufrag)

    def add(self, peer: Peer) -> None:
        self.by_ufrag[peer.ufrag] = peer

    def remove(self, peer: Peer) -> None:
        peer.changed()
        self.by_ufrag.pop(peer.ufrag, None)
        for ssrc in peer.admitted:
            if self.by_stream.get(ssrc) is peer:
                del self.by_stream[ssrc]
        if peer.address is not None and self.by_address.get(peer.address) is peer:
            del self.by_address[peer.address]

    def admit(self, peer: Peer, ssrc: int) -> None:
        """Note the SSRC of an authentic packet of the peer."""
        if ssrc not in peer.admitted:
            peer.admitted.add(ssrc)
            self.by_stream.setdefault(ssrc, peer)

    def settle(self, peer: Peer, source: Address, *, nominated: bool, now: float) -> bool:
        """An authentic check came from `source`: move the peer there if it should; whether so.

        Firefox nominates only once and Chromium every 2.7 s, so after a change of network a
        check without USE-CANDIDATE has to do, once the old address has fallen silent.
        """
        if peer.address == source:
            return False
        peer.settle()  # its routes may have heard it since
        if peer.address is not None and not nominated and now - peer.heard_at < SILENT_AFTER:
            return False
        return self.move(peer, source, now)

    def move(self, peer: Peer, address: Address, now: float) -> bool:
        """Give `address` to the peer, unless another one was heard from there just now."""
        other = self.by_address.get(address)
        if other is not None and other is not peer:
            other.settle()
            if now - other.heard_at < OCCUPIED_FOR:
                return False
            other.address = None
            other.changed()
        if peer.address is not None and self.by_address.get(peer.address) is peer:
            del self.by_address[peer.address]
        peer.address = address
        peer.changed()
        self.by_address[address] = peer
        return True
