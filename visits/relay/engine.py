"""The life of rooms and peers on one node. Knows no Redis and no socket: datagrams come in through
`ingress`, leave through `send`, and what happens is told to `announce`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from visits.relay import sdp
from visits.relay.admission import Admission
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.feedback import Feedback
from visits.relay.forward import Forwarder, Send
from visits.relay.grants import MAX_AGE
from visits.relay.hooks import Certificates, SecureLink
from visits.relay.ingress import Ingress
from visits.relay.peer import Peer
from visits.relay.room import Room, RoomFull, StaleEpoch
from visits.relay.roster import Roster
from visits.relay.seating import seat, unseat
from visits.relay.statistics import Statistics
from visits.relay.upkeep import Upkeep
from visits.relay.wire import Joined, RoomEvent, SlotMids

TICK = 0.02  # seconds; so that never all peers are looked after in one go, which would hold packets up
TURN = 0.2  # seconds between two turns of a peer, which are taken unless all is calm
UNSURE = 1.0  # seconds in which nobody said that a peer is heard: its routes may know better
SWEEP = 1.0  # seconds between two looks for what may be forgotten
EPOCH_MEMORY = 2 * MAX_AGE  # seconds; longer than any grant for that epoch can live


class Refused(Exception):
    """A command that the node does not carry out, and why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Hall:
    """A room's arithmetic and the live copies of its peers."""

    room: Room
    copies: dict[str, Peer] = field(default_factory=dict)


class Engine:
    """Rooms and peers. All methods belong to one event loop."""

    def __init__(
        self, limits: Limits, send: Send, announce: Callable[[str, RoomEvent], None], counters: Counters
    ) -> None:
        self.halls: dict[str, Hall] = {}
        self.counters = counters
        self.roster = Roster()
        self._limits = limits
        self.admission = Admission(limits)
        self._announce = announce
        self._send = send
        self._certificates = Certificates()
        self._epochs: dict[tuple[str, str], tuple[int, float]] = {}  # highest seen, until when kept
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._sweep_at = 0.0
        self._turns: deque[Peer] = deque()  # who is looked after next comes first
        self._departures: list[tuple[float, list[Peer]]] = []  # when who goes, if they are still here
        self._forwarder = Forwarder(send, self.counters)
        self.statistics = Statistics()
        feedback = Feedback(self._forwarder, self.counters)
        self.ingress = Ingress(
            self.roster, self._forwarder, feedback, self.counters, limits, send,
            heard=self._heard, checked=self._checked,
        )  # fmt: skip
        self._upkeep = Upkeep(limits, self._forwarder, feedback, self._stepped)

    def join(self, room_id: str, peer_id: str, epoch: int, offer: str, address: tuple[str, int]) -> Joined:
        """Admit a peer copy and answer its offer with our `address`; an older copy is evicted.

        Raises Refused: ``bad-sdp``, ``stale-epoch``, ``room-full``, ``node-full``, ``node-crowded``.
        """
        now = time.monotonic()
        try:
            parsed = sdp.parse_offer(offer)
        except ValueError:
            raise Refused("bad-sdp") from None
        peer = Peer(room_id, peer_id, epoch, parsed, now)
        if not peer.tracks and not peer.by_slot_ssrc:
            raise Refused("bad-sdp")
        hall = self._take_seat(peer)
        self._upkeep.fill(peer)
        peer.link = link = SecureLink(
            self._certificates.current(),
            lambda datagram: self._reply(peer, datagram),
            lambda: self._gone(peer, "goodbye"),
            queue_limit=self._limits.dtls_queue,
        )
        self.roster.add(peer)
        self._turns.append(peer)
        view = hall.room.members[peer_id].view
        return Joined(
            sdp=peer.answer(parsed, *address, link.fingerprint),
            slots=[
                SlotMids(index, audio.mid if audio else None, video.mid if video else None)
                for index, (audio, video) in enumerate(peer.slots)
            ],
            screen_mid=peer.screen_slot.mid if peer.screen_slot else None,
            view=dict(view.slots),
            screen=view.screen,
        )

    def _take_seat(self, peer: Peer) -> Hall:
        """The hall with the peer in it. The old copy, if there is one, is gone."""
        used = self._epochs.get((peer.room, peer.peer_id))
        if used is not None and peer.epoch <= used[0]:
            raise Refused("stale-epoch")
        hall = self.halls.get(peer.room)
        newcomer = hall is None or peer.peer_id not in hall.copies
        if hall is None and not self.admission.takes_room(len(self.halls), len(self.roster)):
            raise Refused("node-full")
        if newcomer and not self.admission.takes_peer(len(self.roster)):
            raise Refused("node-crowded")
        hall = hall or Hall(Room(self._limits.room_peers))
        try:
            hall.room.join(peer.peer_id, peer.epoch, len(peer.slots))
        except RoomFull:
            raise Refused("room-full") from None
        except StaleEpoch:
            raise Refused("stale-epoch") from None
        self.halls[peer.room] = hall
        self._use_up(peer.room, peer.peer_id, peer.epoch)
        evicted = hall.copies.get(peer.peer_id)
        if evicted is not None:
            self._retire(evicted)
        hall.copies[peer.peer_id] = peer
        if hall.room.sharer == peer.peer_id:  # which was the old copy; the new one has not said so
            self._reseat(peer.room, hall, hall.room.unshare(peer.peer_id))
        return hall

    def _use_up(self, room_id: str, peer_id: str, epoch: int) -> None:
        used, _ = self._epochs.get((room_id, peer_id), (epoch, 0.0))
        self._epochs[room_id, peer_id] = max(epoch, used), time.monotonic() + EPOCH_MEMORY

    def leave(self, room_id: str, peer_id: str, epoch: int) -> None:
        """Let a peer go, unless a newer copy than `epoch` is here. A join of this copy that comes later is refused."""
        self._use_up(room_id, peer_id, epoch)
        hall = self.halls.get(room_id)
        peer = hall.copies.get(peer_id) if hall else None
        if peer is not None and peer.epoch <= epoch:
            self._gone(peer, "left")

    def share(self, room_id: str, peer_id: str, epoch: int, *, on: bool) -> None:
        """Show the screen of this copy to the others, or no more. Refused ``no-peer`` if the copy is not here."""
        hall = self.halls.get(room_id)
        peer = hall.copies.get(peer_id) if hall else None
        if hall is None or peer is None or peer.epoch != epoch:
            raise Refused("no-peer")
        self._reseat(room_id, hall, hall.room.share(peer_id) if on else hall.room.unshare(peer_id))

    def prefer(self, room_id: str, peer_id: str, epoch: int, heights: dict[int, int]) -> None:
        """How high the page of this copy shows its slots. Nothing happens if the copy is not here."""
        hall = self.halls.get(room_id)
        peer = hall.copies.get(peer_id) if hall else None
        if peer is None or peer.epoch != epoch:
            return
        peer.heights |= {index: height for index, height in heights.items() if index <= len(peer.slots)}
        if peer.connected:
            self._upkeep.choose(peer, time.monotonic())

    def close_room(self, room_id: str, after: float = 0.0) -> None:
        """Let everybody in the room go, at once or `after` seconds; nothing happens if there is no such room.

        Later, those go who are here now: who enters in between may stay.
        """
        if after > 0:
            present = list(self.halls[room_id].copies.values()) if room_id in self.halls else []
            self._departures.append((time.monotonic() + after, present))
            return
        hall = self.halls.pop(room_id, None)
        for peer in list(hall.copies.values()) if hall else []:
            self._retire(peer)
            self._tell(peer, "gone")

    async def close(self) -> None:
        """Say goodbye to all, and wait until that is sent."""
        for room_id in list(self.halls):
            self.close_room(room_id)
        await asyncio.gather(*self._goodbyes, return_exceptions=True)

    def news(self, room_id: str) -> list[RoomEvent]:
        """The present state of a room as events, for who may have missed some; none if there is no such room."""
        hall = self.halls.get(room_id)
        if hall is None:
            return []
        events = []
        for peer in hall.copies.values():
            if peer.connected:
                events.append(RoomEvent("away" if peer.away else "connected", peer.peer_id, peer.epoch))
            events.append(self._view(hall, peer))
        return events

    def figures(self, now: float) -> list[tuple[str, RoomEvent]]:
        """How the streams go in the rooms whose turn it is: each has one a second, if this is called every TURN."""
        return [
            (room, RoomEvent("stats", "", 0, streams=self.statistics.look(room, self.halls[room].copies.values(), now)))
            for room in self.statistics.due(self.halls, now)
        ]

    def tick(self, now: float) -> None:
        """What is due by the clock; call it every TICK. Raises nothing."""
        self.ingress.replenish(now)
        for _ in range(len(self._turns)):
            if now - self._turns[0].turned_at < TURN:
                break
            peer = self._turns.popleft()
            self._upkeep.refill(peer, now)
            if now < peer.calm_until:
                self._turns.append(peer)
                continue
            try:
                self._look_after(peer, now)
            except Exception as error:  # one peer's trouble must not stop the clock of the others
                self.counters.fail("tick", error, peer.peer_id)
            if self.roster.by_ufrag.get(peer.ufrag) is peer:
                self._turns.append(peer)
        for departure in [departure for departure in self._departures if departure[0] < now]:
            self._departures.remove(departure)
            for peer in departure[1]:
                self._gone(peer, "moved")
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP
            self._forget_epochs(now)

    def _forget_epochs(self, now: float) -> None:
        for key in [key for key, (_, until) in self._epochs.items() if until < now]:
            hall = self.halls.get(key[0])
            if hall is None or key[1] not in hall.copies:
                del self._epochs[key]

    def _look_after(self, peer: Peer, now: float) -> None:
        if now - peer.heard_at > UNSURE:
            peer.settle()
        silent = now - peer.heard_at
        if not peer.connected:
            if now - peer.joined_at > self._limits.connect_within:
                self._gone(peer, "never_connected")
        elif silent > self._limits.gone_after:
            self._gone(peer, "vanished")
        elif silent > self._limits.away_after and not peer.away:
            peer.away = True
            peer.changed()  # so that the next packet is told of
            self._tell(peer, "away")
        self._upkeep.serve(peer, now)

    def _heard(self, peer: Peer, now: float) -> None:
        peer.heard_at = now
        if peer.away:
            peer.away = False
            self._tell(peer, "back")

    def _checked(self, peer: Peer) -> None:
        if peer.handshake is None and peer.link is not None:
            peer.handshake = asyncio.create_task(self._connect(peer, peer.link))

    async def _connect(self, peer: Peer, link: SecureLink) -> None:
        if not await link.handshake(peer.fingerprints):
            self._gone(peer, "handshake_failed")
            return
        hall = self.halls.get(peer.room)
        if hall is None or hall.copies.get(peer.peer_id) is not peer:
            return
        peer.connected = True
        peer.connected_at = time.monotonic()
        self._tell(peer, "connected")
        self._reseat(peer.room, hall, hall.room.connect(peer.peer_id))

    def _reseat(self, room_id: str, hall: Hall, changed: set[str]) -> None:
        now = time.monotonic()
        wanted, stepped = seat(hall.room, hall.copies, now)
        for track in wanted:
            self._forwarder.ask_keyframe(track, now)
        for peer_id in changed | {peer.peer_id for peer in stepped}:
            self._announce(room_id, self._view(hall, hall.copies[peer_id]))

    def _stepped(self, peer: Peer) -> None:
        """Somebody sees a picture better or worse than before."""
        hall = self.halls.get(peer.room)
        if hall is not None and hall.copies.get(peer.peer_id) is peer:
            self._announce(peer.room, self._view(hall, peer))

    @staticmethod
    def _view(hall: Hall, peer: Peer) -> RoomEvent:
        view = hall.room.members[peer.peer_id].view
        watched = {
            other.peer_id: other.steps[index]
            for other in hall.copies.values()
            for index, (_, tracks) in other.watching.items()
            if index in other.steps and tracks[0].owner is peer
        }
        return RoomEvent(
            "view", peer.peer_id, peer.epoch, dict(view.slots), view.screen, steps=peer.steps, watched=watched
        )

    def _gone(self, peer: Peer, why: str) -> None:
        """End a copy for good: its seat is free, the others' slots are emptied."""
        hall = self.halls.get(peer.room)
        if hall is None or hall.copies.get(peer.peer_id) is not peer:
            return
        self.counters.note(why)
        self._retire(peer)
        del hall.copies[peer.peer_id]
        changed = hall.room.leave(peer.peer_id)
        if not hall.copies:
            del self.halls[peer.room]
        self._tell(peer, "gone")
        self._reseat(peer.room, hall, changed)

    def _retire(self, peer: Peer) -> None:
        """Stop forwarding from and to a copy, and say goodbye to it."""
        peer.connected = False
        unseat(peer)
        self.roster.remove(peer)
        goodbye = asyncio.create_task(self._goodbye(peer))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)

    @staticmethod
    async def _goodbye(peer: Peer) -> None:
        while peer.handshake is not None and not peer.handshake.done():
            peer.handshake.cancel()  # again, if asyncio.wait_for (before Python 3.12) lost it
            await asyncio.wait({peer.handshake}, timeout=TURN)
        if peer.link is not None:
            await peer.link.close()
        peer.forget()

    def _tell(self, peer: Peer, kind: str) -> None:
        self._announce(peer.room, RoomEvent(kind, peer.peer_id, peer.epoch))

    def _reply(self, peer: Peer, datagram: bytes) -> None:
        if peer.address is not None:
            self._send(datagram, peer.address)
