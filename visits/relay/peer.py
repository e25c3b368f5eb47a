"""One copy (epoch) of one peer: its transport, what it publishes and what it receives."""

from __future__ import annotations

import asyncio
import secrets
from array import array
from typing import Protocol

from visits.relay import rtp, sdp
from visits.relay.arrivals import Arrivals, Reception
from visits.relay.bandwidth import Line, Losses, Meter
from visits.relay.hooks import SecureLink
from visits.relay.slots import Slot
from visits.relay.tracks import Track

Address = tuple[str, int]
# The numbers of `Peer.purse`: what it may still ask for, in packets; when compiled code heard a report of it; and of
# pictures and of sound the octets that it may still send.
BUDGET, HEARD, PICTURES, SOUND = range(4)
ALLOWANCES = {"video": PICTURES, "audio": SOUND}
REMEMBERED_CHECKS = 256  # transaction ids, to refuse replayed STUN from other addresses


class Voidable(Protocol):
    """By what the batched path knows who reports (participants.py)."""

    def void(self) -> None:
        """It is true no more."""


class Peer:
    """State of one peer copy. The engine owns its life, the loop its address."""

    def __init__(self, room: str, peer_id: str, epoch: int, offer: sdp.Offer, now: float) -> None:
        self.room = room
        self.peer_id = peer_id
        self.epoch = epoch
        self.fingerprints = offer.fingerprints
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(16)
        self.address: Address | None = None
        self.link: SecureLink | None = None
        self.connected = False
        self.away = False
        self.joined_at = now
        self.turned_at = now  # when its turn by the clock last came
        self.calm_until = now  # till then it need not be looked after in it
        self.connected_at = now
        self.heard_at = now
        self.told_at = float("-inf")  # when it last heard how its own streams do
        self.ceiling = 0  # bit/s, as it was told
        self.is_lossy = False  # whether it was told of losses
        self.handshake: asyncio.Task[None] | None = None
        self.purse = array("d", [0.0] * 4)  # where compiled code finds it
        self._checks: dict[bytes, Address] = {}  # STUN transaction to source, oldest first
        self.participant: Voidable | None = None  # while compiled code handles its reports
        self.admitted: set[int] = set()  # SSRCs of authentic packets; forged ones do not count
        self.layout = sdp.lay_out(offer)
        self.tracks: dict[str, Track] = {}  # by role; of a simulcast by role/rid, the smallest picture first
        self.slots: list[tuple[Slot | None, Slot | None]] = []  # (audio, video) by index
        self.screen_slot: Slot | None = None
        self.by_ssrc: dict[int, tuple[Track, bool]] = {}  # inbound; True: its RTX
        self.by_slot_ssrc: dict[int, Slot] = {}
        self.arrivals = Arrivals()
        self.transport_sequence: int | None = None  # id of the extension that numbers packets for `arrivals`
        self.receptions: dict[int, Reception] = {}  # by SSRC
        self.rates: dict[Track, float] = {}  # bit/s of each video track
        self._meters: dict[Track, Meter] = {}
        self.alive_since: dict[Track, float] = {}  # of the video layers that are sent now
        self.fallen: set[Track] = set()  # those that once were and then were not
        self.settled = 0  # how many of them are for long enough
        self.audience = 0  # other people in the room
        self.watchers: set[Peer] = set()  # who have a place for our pictures
        self.offers: dict[str, dict[Slot, float]] = {}  # by role: bit/s that each receiver has for the picture
        self.line = Line()  # towards this peer as a receiver
        self.losses = Losses()  # of pictures, on that line
        self.sent = Meter()  # of pictures: browsers estimate their line by nothing else
        self.watching: dict[int, tuple[Slot, list[Track]]] = {}  # by index: the video slots that are in use
        self.heights: dict[int, int] = {}  # how large the page shows them, where it has told
        self.steps: dict[int, str] = {}  # of the ladder, by index, where it is not "full"
        self.looked_at = now
        self._published: dict[str, Published] = {}  # by mid
        self._mid_extensions: set[int] = set()
        self._take_layout()
        self.families = [family for role in ("camera", "screen") if (family := self.layers(role))]
        for family in self.families:
            for track in family:
                track.siblings = family
        self.is_layered = any(len(family) > 1 for family in self.families)

    @property
    def reported_ssrc(self) -> int:
        """Which of its streams a report on all of them names."""
        return next(iter(self.by_ssrc), 0)

    @property
    def budget(self) -> float:
        """Work that may still be asked of the relay now, in packets."""
        return self.purse[BUDGET]

    @budget.setter
    def budget(self, packets: float) -> None:
        self.purse[BUDGET] = packets

    def _take_layout(self) -> None:
        for role in ("microphone", "camera", "screen"):
            media: sdp.Media | None = getattr(self.layout, role)
            if media is not None:
                self._publish(role, media)
        for audio, video in self.layout.slots:
            self.slots.append((self._receive(audio), self._receive(video)))
        self.screen_slot = self._receive(self.layout.screen_slot)
        self._pictures = [slot for slot in self.every_slot() if slot.kind == "video"]

    def _publish(self, role: str, media: sdp.Media) -> None:
        if media.codec is None:
            return
        published = self._published[media.mid] = Published(media)
        rids: list[str | None] = [*reversed(media.layers)] or [None]  # the smallest first
        for rid in rids:
            track = Track(role, media.kind, media.codec, media.extensions, rid)
            track.owner = self
            track.nack = track.nack or media.nack
            self.tracks[role if rid is None else f"{role}/{rid}"] = published.tracks[rid] = track
        if rtp.MID in media.extensions:
            self._mid_extensions.add(media.extensions[rtp.MID])
        self.transport_sequence = media.extensions.get(rtp.TRANSPORT_SEQUENCE, self.transport_sequence)
        if media.layers:
            return  # who numbers its layers in the offer too says which is which in the packets alone
        for ssrc in media.ssrcs:
            if ssrc not in media.rtx_pairs.values():
                self._bind(published.tracks[None], ssrc, rtx=False)
                if ssrc in media.rtx_pairs:
                    self._bind(published.tracks[None], media.rtx_pairs[ssrc], rtx=True)
                break

    def _bind(self, track: Track, ssrc: int, *, rtx: bool) -> None:
        if ssrc in self.by_ssrc:
            return
        self.by_ssrc[ssrc] = (track, rtx)
        self.stir()
        track.changed()
        old = track.rtx_ssrc if rtx else track.ssrc
        if old is not None:
            self.by_ssrc.pop(old, None)
        if rtx:
            track.rtx_ssrc = ssrc
            return
        track.ssrc = ssrc
        if old is not None:
            track.restarted()

    def _receive(self, media: sdp.Media | None) -> Slot | None:
        if media is None or media.codec is None:
            return None
        rtx_ssrc = _random_ssrc() if media.rtx is not None else None
        slot = Slot(media.kind, media.mid, _random_ssrc(), rtx_ssrc, media.codec, media.extensions)
        slot.owner = self
        self.by_slot_ssrc[slot.ssrc] = slot
        return slot

    def answer(self, offer: sdp.Offer, host: str, port: int, fingerprint: str) -> str:
        """The SDP answer to the offer that this peer was made from."""
        announced: dict[str, sdp.Announced] = {}
        for index, pair in enumerate([*self.slots, (None, self.screen_slot)]):
            name = f"slot{index}" if index < len(self.slots) else "screen"
            for slot in pair:
                if slot is not None:
                    announced[slot.mid] = sdp.Announced(name, slot.ssrc, slot.rtx_ssrc)
        transport = sdp.Transport(host, port, self.ufrag, self.password, fingerprint)
        return sdp.build_answer(offer, {*announced, *self._published}, announced, transport)

    def every_slot(self) -> list[Slot]:
        """All receive slots of the peer."""
        return list(self.by_slot_ssrc.values())

    def changed(self) -> None:
        """The peer's address has changed, or it is gone: no route from it or to it may be taken any more."""
        self.stir()
        for track in self.tracks.values():
            track.changed()
        for slot in self.every_slot():
            if slot.source is not None:
                slot.source.changed()
        participant, self.participant = self.participant, None
        if participant is not None:
            participant.void()

    def stir(self) -> None:
        """Something has happened that its next turn may have to see to."""
        self.calm_until = self.turned_at

    def forget(self) -> None:
        """Let go of everything: the copy has ended. What leads in a circle would stay until garbage is looked for."""
        for track in self.tracks.values():
            track.siblings = []
        self.link = self.handshake = self.screen_slot = None
        for held in (
            self.tracks, self.slots, self.by_ssrc, self.by_slot_ssrc, self.rates, self._meters, self.alive_since,
            self.fallen, self.watchers, self.offers, self.watching, self._published, self._pictures, self.families,
        ):  # fmt: skip
            held.clear()

    def settle(self) -> None:
        """Enter what compiled code has moved and heard into the books."""
        self.heard_at = max(self.heard_at, self.purse[HEARD])
        for track in self.tracks.values():
            if track.route is not None:
                track.route.settle()

    def resume(self) -> None:
        """Let the routes go on behind what was forwarded without them."""
        for track in self.tracks.values():
            if track.route is not None:
                track.route.resume()

    def affords(self, cost: int = 1) -> bool:
        """Take `cost` from the budget; False, and nothing is taken, if it does not suffice."""
        if self.budget < cost:
            return False
        self.budget -= cost
        return True

    def may_send(self, kind: str, octets: int) -> bool:
        """Take `octets` of media of that kind from what the peer may send; False if that does not suffice."""
        at = ALLOWANCES[kind]
        if self.purse[at] < octets:
            return False
        self.purse[at] -= octets
        return True

    def admits(self, ssrc: int, limit: int) -> bool:
        """Whether libsrtp may see this SSRC: it keeps state for each one, so they are few."""
        return ssrc in self.admitted or len(self.admitted) < limit

    def layers(self, role: str) -> list[Track]:
        """The encodings of what the peer publishes in that role, the smallest picture first."""
        return [track for track in self.tracks.values() if track.role == role]

    def measure(self, now: float) -> None:
        """Read the rates of what comes from the peer and of what goes to it. Call it some times a second."""
        for track in self.tracks.values():
            if track.kind == "video":
                self.rates[track] = self._meters.setdefault(track, Meter()).read(track.octets, now)
        octets = 0
        for slot in self._pictures:
            if slot.source is not None:
                slot.source.settle()
            octets += slot.octets
        self.sent.read(octets, now)

    def find(self, packet: bytes, ssrc: int) -> tuple[Track, bool] | None:
        """The track of a decrypted packet, learned by its MID and RID if need be.

        RFC 9143 section 9.2, RFC 8852 section 3: a packet that names no layer of a simulcast is nobody's.
        """
        known = self.by_ssrc.get(ssrc)
        if known is not None:
            return known
        for number in self._mid_extensions:
            published = self._published.get(_text(packet, number) or "")
            found = published.identify(packet) if published is not None else None
            if found is not None:
                self._bind(found[0], ssrc, rtx=found[1])
                return found
        return None

    def check_is_replayed(self, transaction: bytes, source: Address) -> bool:
        """Note a STUN transaction; True if it was seen before from another address.

        STUN has no replay protection of its own, and a check can move the peer.
        """
        seen = self._checks.get(transaction)
        if seen is not None:
            return seen != source
        self._checks[transaction] = source
        if len(self._checks) > REMEMBERED_CHECKS:
            del self._checks[next(iter(self._checks))]
        return False


class Published:
    """One m-section in which a peer sends: a track, or one for each layer (by rid)."""

    def __init__(self, media: sdp.Media) -> None:
        self.tracks: dict[str | None, Track] = {}
        self._rtx = media.rtx
        self._rid = media.extensions.get(rtp.RID)
        self._repaired_rid = media.extensions.get(rtp.REPAIRED_RID)

    def identify(self, packet: bytes) -> tuple[Track, bool] | None:
        """The track of a packet of this m-section, and whether it is a retransmission of it."""
        is_rtx = packet[1] & 0x7F == self._rtx
        if None in self.tracks:
            return self.tracks[None], is_rtx
        number = self._repaired_rid if is_rtx else self._rid
        track = self.tracks.get(_text(packet, number)) if number is not None else None
        return (track, is_rtx) if track is not None else None


def _text(packet: bytes, extension: int) -> str | None:
    value = rtp.extension_value(packet, extension)
    return value.decode("latin-1") if value else None


def _random_ssrc() -> int:
    return secrets.randbelow(0xFFFFFFFE) + 1
