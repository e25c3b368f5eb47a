"""From the room's arithmetic to packets: point slots at the tracks of the right peers. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from visits.relay.peer import Peer
from visits.relay.pictures import choose
from visits.relay.room import Room
from visits.relay.slots import Slot
from visits.relay.tracks import Track


def seat(room: Room, copies: Mapping[str, Peer], now: float) -> tuple[set[Track], set[Peer]]:
    """Assign the slots of all connected receivers.

    Returns the tracks that owe somebody a keyframe, and the peers whose view of a picture, or picture in a
    view, took a step on the ladder. A receiver that is not connected yet gets nothing: a keyframe would be
    spent on nobody.
    """
    connected = {peer_id: peer for peer_id, peer in copies.items() if peer.connected}
    for peer in connected.values():
        peer.audience = len(connected) - 1
        peer.watchers.clear()
        peer.offers.clear()
        peer.stir()
    for receiver_id, receiver in connected.items():
        view = room.members[receiver_id].view
        for index, (audio, _) in enumerate(receiver.slots):
            publisher = connected.get(view.slots.get(index, ""))
            if audio is not None:
                audio.assign(publisher.tracks.get("microphone") if publisher is not None else None)
        shown = {index: connected.get(peer_id) for index, peer_id in view.slots.items()}
        shown[len(receiver.slots)] = connected.get(view.screen or "")
        receiver.watching = {}
        for index, slot in _video(receiver):
            publisher = shown.get(index)
            role = "screen" if slot is receiver.screen_slot else "camera"
            tracks = publisher.layers(role) if publisher is not None else []
            if publisher is None or not tracks:
                slot.assign(None)
                continue
            receiver.watching[index] = slot, tracks
            publisher.watchers.add(receiver)
    changed: set[Peer] = set()
    wanted: set[Track] = set()
    for receiver in connected.values():
        publishers = choose(receiver, now)
        changed |= publishers | ({receiver} if publishers else set())
        wanted |= hungry(receiver)
    return wanted, changed


def _video(receiver: Peer) -> Iterator[tuple[int, Slot]]:
    """The video slots by index; the screen's comes after the last."""
    for index, (_, video) in enumerate(receiver.slots):
        if video is not None:
            yield index, video
    if receiver.screen_slot is not None:
        yield len(receiver.slots), receiver.screen_slot


def hungry(receiver: Peer) -> set[Track]:
    """The tracks that owe the receiver a keyframe."""
    slots = [slot for slot, _ in receiver.watching.values()]
    return {slot.target for slot in slots if slot.hungry and slot.target is not None}


def unseat(peer: Peer) -> None:
    """Take a copy out of everybody's slots, and everybody out of its own."""
    for slot in peer.every_slot():
        slot.assign(None)
    peer.watching = {}
    for track in peer.tracks.values():
        for slot in tuple(track.outputs):
            slot.drop(track)
