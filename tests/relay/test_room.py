"""Who sits in whose slot."""

import pytest

from visits.relay.room import Room, RoomFull, StaleEpoch


def full_room(*people: str, limit: int = 6, capacity: int = 5) -> Room:
    room = Room(limit)
    for person in people:
        room.join(person, 1, capacity)
        room.connect(person)
    return room


def test_everybody_sees_everybody_else_once():
    room = full_room(*"abcdef")
    for person, member in room.members.items():
        assert sorted(member.view.slots.values()) == sorted(set("abcdef") - {person})
        assert sorted(member.view.slots) == [0, 1, 2, 3, 4]


def test_a_seventh_is_refused():
    room = full_room(*"abcdef")
    with pytest.raises(RoomFull):
        room.join("g", 1, 5)


def test_somebody_who_is_not_connected_is_not_shown():
    room = full_room("a")
    room.join("b", 1, 5)
    assert room.members["a"].view.slots == {}
    assert room.members["b"].view.slots == {0: "a"}
    assert room.connect("b") == {"a"}


def test_a_newer_copy_keeps_its_index_everywhere():
    room = full_room(*"abc")
    before = {person: dict(member.view.slots) for person, member in room.members.items()}
    assert room.join("b", 2, 5) == 1
    assert room.connect("b") == set()
    assert {person: member.view.slots for person, member in room.members.items()} == before


@pytest.mark.parametrize("epoch", [1, 0, -5])
def test_an_old_epoch_is_stale(epoch):
    room = full_room("a")
    with pytest.raises(StaleEpoch):
        room.join("a", epoch, 5)


def test_leaving_frees_an_index_without_moving_the_others():
    room = full_room(*"abcd")
    assert room.leave("b") == {"a", "c", "d"}
    assert room.members["a"].view.slots == {1: "c", 2: "d"}
    room.join("e", 1, 5)
    room.connect("e")
    assert room.members["a"].view.slots == {0: "e", 1: "c", 2: "d"}
    assert room.leave("nobody") == set()


def test_who_had_no_place_gets_the_next_free_one():
    room = full_room(*"abcd", capacity=2)
    assert room.members["a"].view.slots == {0: "b", 1: "c"}
    assert "a" in room.leave("b")
    assert room.members["a"].view.slots == {0: "d", 1: "c"}


def test_a_copy_with_fewer_slots_gives_places_up():
    room = full_room(*"abcd")
    room.join("a", 2, 1)
    assert room.members["a"].view.slots == {0: "b"}


def test_the_screen_is_shown_to_all_but_its_owner_and_ends_with_them():
    room = full_room(*"abc")
    assert room.share("a") == {"b", "c"}
    assert room.members["a"].view.screen is None
    room.join("d", 1, 5)
    assert room.members["d"].view.screen == "a"
    assert room.unshare("b") == set(), "it is not theirs"
    assert room.leave("a") == {"b", "c", "d"}
    assert room.sharer is None
