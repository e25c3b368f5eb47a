"""From the room's arithmetic to packets: point slots at the tracks of the right peers. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from visits.relay.peer import Peer
from visits.relay.room import Room
from visits.relay.slots import Slot
from visits.relay.tracks import Track


def seat(room: Room, copies: Mapping[str, Peer]) -> set[Track]:
    """Assign the slots of all connected receivers; the tracks that owe somebody a keyframe.

    A receiver that is not connected yet gets nothing: a keyframe would be spent on nobody.
    """
    wanted: set[Track] = set()
    for receiver_id, member in room.members.items():
        receiver = copies.get(receiver_id)
        if receiver is None or not receiver.connected:
            continue
        for index, (audio, video) in enumerate(receiver.slots):
            publisher = copies.get(member.view.slots.get(index, ""))
            _show(audio, publisher, "microphone", wanted)
            _show(video, publisher, "camera", wanted)
        _show(receiver.screen_slot, copies.get(member.view.screen or ""), "screen", wanted)
    return wanted


def _show(slot: Slot | None, publisher: Peer | None, role: str, wanted: set[Track]) -> None:
    if slot is None:
        return
    connected = publisher is not None and publisher.connected
    slot.assign(publisher.layers(role)[-1] if publisher is not None and connected and publisher.layers(role) else None)
    if slot.hungry and slot.target is not None:
        wanted.add(slot.target)


def unseat(peer: Peer) -> None:
    """Take a copy out of everybody's slots, and everybody out of its own."""
    for slot in peer.every_slot():
        slot.assign(None)
    for track in peer.tracks.values():
        for slot in tuple(track.outputs):
            slot.drop(track)
