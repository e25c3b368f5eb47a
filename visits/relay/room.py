"""Who sits in whose slot: the arithmetic of one room, by ids alone. No I/O.

A receiver's slot index for a publisher is stable from the publisher's arrival to its end,
over new copies (epochs) of either side. Slots are filled with the lowest free index.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class RoomFull(Exception):
    """No seat is left."""


class StaleEpoch(Exception):
    """A copy of the same peer at least as new is or was here."""


@dataclass(slots=True)
class View:
    """What one receiver sees: slot index to publisher, and whose screen."""

    slots: dict[int, str] = field(default_factory=dict)
    screen: str | None = None


@dataclass(slots=True)
class Member:
    """One peer in the room. `capacity` is the number of receive slots that it offered."""

    epoch: int
    capacity: int
    connected: bool = False
    view: View = field(default_factory=View)


class Room:
    """Members, their views and whose screen is shown.

    Methods that can change views return the ids of the receivers whose view did change.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.members: dict[str, Member] = {}  # in order of arrival
        self.sharer: str | None = None

    def join(self, peer: str, epoch: int, capacity: int) -> int | None:
        """Take a seat; the epoch of the copy that this one replaces, if any."""
        member = self.members.get(peer)
        if member is None:
            if len(self.members) >= self._limit:
                raise RoomFull
            self.members[peer] = Member(epoch, capacity)
            self._fill()
            return None
        if epoch <= member.epoch:
            raise StaleEpoch
        replaced, member.epoch = member.epoch, epoch
        member.capacity, member.connected = capacity, False
        member.view.slots = {i: p for i, p in member.view.slots.items() if i < capacity}
        self._fill()
        return replaced

    def connect(self, peer: str) -> set[str]:
        """The peer's media can flow: seat it with everybody else."""
        self.members[peer].connected = True
        return self._fill()

    def leave(self, peer: str) -> set[str]:
        """Free the peer's seat, and give its places to whoever has none yet."""
        if self.members.pop(peer, None) is None:
            return set()
        changed = self.unshare(peer)
        for receiver, member in self.members.items():
            kept = {i: p for i, p in member.view.slots.items() if p != peer}
            if len(kept) != len(member.view.slots):
                member.view.slots = kept
                changed.add(receiver)
        return changed | self._fill()

    def share(self, peer: str) -> set[str]:
        """Show the screen of `peer` to everybody else, instead of who showed theirs."""
        return self._show(peer)

    def unshare(self, peer: str) -> set[str]:
        """Show the screen of `peer` no more; that of another stays."""
        return self._show(None) if self.sharer == peer else set()

    def _show(self, peer: str | None) -> set[str]:
        self.sharer = peer
        changed = set()
        for receiver, member in self.members.items():
            shown = peer if peer != receiver else None
            if member.view.screen != shown:
                member.view.screen = shown
                changed.add(receiver)
        return changed

    def _fill(self) -> set[str]:
        changed = set()
        for receiver, member in self.members.items():
            seated = set(member.view.slots.values())
            free = [i for i in range(member.capacity) if i not in member.view.slots]
            for publisher, other in self.members.items():
                if not free:
                    break
                if other.connected and publisher != receiver and publisher not in seated:
                    member.view.slots[free.pop(0)] = publisher
                    changed.add(receiver)
            if self.sharer not in (None, receiver) and member.view.screen != self.sharer:
                member.view.screen = self.sharer
                changed.add(receiver)
        return changed
