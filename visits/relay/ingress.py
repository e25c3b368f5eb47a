"""One datagram in: whose is it, what is it, may it pass. RFC 7983 (first byte), RFC 8445 (ICE).

Nothing that arrives here can close a transport or stop another peer's packets: whatever is wrong
with a datagram ends with that datagram, counted by cause.
"""

from __future__ import annotations

from collections.abc import Callable

from visits.relay import rtp, stun
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.feedback import Feedback
from visits.relay.forward import Forwarder, Send
from visits.relay.peer import Address, Peer
from visits.relay.roster import Roster

DTLS_COST = 30  # packets: one datagram can make OpenSSL do a handshake's arithmetic
RTCP_BYTES = 128  # of reports cost as much to read as a packet of media to forward; those of a browser are shorter
MIN_RTCP = 8  # bytes: header and the sender's SSRC, in clear also under SRTCP


class Ingress:
    """Sorts datagrams. `heard` is called for each authentic one, `checked` for each ICE check."""

    def __init__(
        self,
        roster: Roster,
        forwarder: Forwarder,
        feedback: Feedback,
        counters: Counters,
        limits: Limits,
        send: Send,
        *,
        heard: Callable[[Peer, float], None],
        checked: Callable[[Peer], None],
    ) -> None:
        self.roster = roster
        self.forwarder = forwarder
        self._feedback = feedback
        self._counters = counters
        self._limits = limits
        self._send = send
        self._heard = heard
        self._checked = checked
        self._strangers = float(limits.strangers_per_second)
        self._replenished_at: float | None = None

    def replenish(self, now: float) -> None:
        """Refill the budget of the unknown addresses."""
        elapsed = now - self._replenished_at if self._replenished_at is not None else 0.0
        self._replenished_at = now
        limit = self._limits.strangers_per_second
        self._strangers = min(limit, self._strangers + limit * elapsed)

    def datagram(self, data: bytes, source: Address, now: float) -> None:
        """Handle one datagram. Raises nothing."""
        self._handle(self._sort, self.roster.by_address.get(source), data, source, now)

    def report(self, packet: bytes, source: Address, now: float) -> None:
        """Handle one compound packet that was decrypted and paid for, from an address of ours. Raises nothing."""
        peer = self.roster.by_address.get(source)
        if peer is not None:  # else it went with a packet of the same batch
            self._handle(self._report, peer, packet, now)

    def _handle(self, handler: Callable[..., None], peer: Peer | None, *given: object) -> None:
        try:
            handler(peer, *given)
        except ValueError:
            self._counters.refuse("malformed", peer.peer_id if peer is not None else "-")
        except Exception as error:  # a mistake of ours: it must not cost more than this packet
            self._counters.fail("datagram", error, peer.peer_id if peer is not None else "-")

    def _sort(self, peer: Peer | None, data: bytes, source: Address, now: float) -> None:
        if not data or len(data) > self._limits.datagram:
            self._counters.refuse("size")
        elif data[0] <= 3:
            self._stun(peer, data, source, now)
        elif peer is None:
            self._latch(data, source, now)
        elif 20 <= data[0] <= 63:
            self._dtls(peer, data)
        elif 128 <= data[0] <= 191:
            self._media(peer, data, now)
        else:
            self._counters.refuse("unknown_protocol", peer.peer_id)

    def _affords(self, payer: Peer | None, cost: int = 1) -> bool:
        """Whether the sender of a datagram may have this much work done now; strangers share one budget.

        What is refused by a look at the datagram costs nothing, or junk could keep newcomers out.
        """
        if payer is not None:
            affords = payer.affords(cost)
        else:
            affords = self._strangers >= cost
            self._strangers -= cost if affords else 0
        if not affords:
            self._counters.refuse("over_budget", payer.peer_id if payer else "-")
        return affords

    def _stun(self, sender: Peer | None, data: bytes, source: Address, now: float) -> None:
        if not stun.looks_like_request(data):
            self._counters.refuse("stun_malformed")
            return
        peer = self.roster.by_ufrag.get(stun.ufrag(data))
        if peer is None:
            self._counters.refuse("stun_unknown")
            return
        if not self._affords(sender):
            return
        check = stun.parse_check(data)
        if not check.authentic(peer.password):
            self._counters.refuse("stun_forged", peer.peer_id)
            return
        if peer.check_is_replayed(check.transaction, source):
            self._counters.refuse("stun_replayed", peer.peer_id)
            return
        if self.roster.settle(peer, source, nominated=check.nominates, now=now):
            self._counters.note("moved")
        self._send(stun.success(check, source, peer.password), source)
        self._heard(peer, now)
        if peer.address is not None:
            self._checked(peer)

    def _dtls(self, peer: Peer, data: bytes) -> None:
        if not self._affords(peer, DTLS_COST):
            return
        if peer.link is None or peer.handshake is None or not peer.link.feed(data):
            self._counters.refuse("dtls_dropped", peer.peer_id)

    def _media(self, peer: Peer, data: bytes, now: float) -> None:
        if not self._affords(peer):
            return
        if peer.link is None or not peer.link.ready:
            self._counters.note("media_before_keys")
        elif rtp.is_rtcp(data):
            self._rtcp(peer, data, now)
        else:
            self._rtp(peer, data, now)

    def _rtp(self, peer: Peer, data: bytes, now: float) -> None:
        packet = self._open(peer, data)
        if packet is not None:
            self._heard(peer, now)
            self.forwarder.forward(peer, packet, now)

    def _open(self, peer: Peer, data: bytes) -> bytes | None:
        """The decrypted RTP packet, or None."""
        if len(data) < rtp.HEADER.size:
            raise ValueError("RTP packet is cut off")
        ssrc = int.from_bytes(data[8:12], "big")
        if peer.link is None or not peer.admits(ssrc, self._limits.ssrcs):
            self._counters.refuse("ssrc_limit", peer.peer_id)
            return None
        packet = peer.link.unprotect(data)
        if packet is None:
            self._counters.refuse("srtp_rejected", peer.peer_id)
            return None
        self.roster.admit(peer, ssrc)
        return packet

    def _rtcp(self, peer: Peer, data: bytes, now: float) -> None:
        if len(data) < MIN_RTCP:
            raise ValueError("RTCP packet is cut off")
        ssrc = int.from_bytes(data[4:8], "big")
        if peer.link is None or not peer.admits(ssrc, self._limits.ssrcs):
            self._counters.refuse("ssrc_limit", peer.peer_id)
            return
        if not self._affords(peer, len(data) // RTCP_BYTES):
            return
        packet = peer.link.unprotect_rtcp(data)
        if packet is None:
            self._counters.refuse("srtcp_rejected", peer.peer_id)
            return
        self.roster.admit(peer, ssrc)
        self._report(peer, packet, now)

    def _report(self, peer: Peer, packet: bytes, now: float) -> None:
        self._heard(peer, now)
        self._feedback.receive(peer, packet, now)

    def _latch(self, data: bytes, source: Address, now: float) -> None:
        """Follow a peer whose address changed by its first authentic, new RTP packet.

        Its next STUN check may be seconds away. libsrtp refuses forged and replayed packets;
        how many are tried is bounded by the budget of unknown addresses.
        """
        is_rtp = 128 <= data[0] <= 191 and not rtp.is_rtcp(data)
        peer = self.roster.by_stream.get(int.from_bytes(data[8:12], "big")) if is_rtp else None
        if peer is None or peer.link is None or not peer.link.ready:
            self._counters.refuse("stranger")
            return
        if not self._affords(None):
            return
        packet = self._open(peer, data)
        if packet is not None and self.roster.move(peer, source, now):
            self._counters.note("latched")
            self._heard(peer, now)
            self.forwarder.forward(peer, packet, now)
