"""Who comes, goes, vanishes, reloads, moves."""

import asyncio
import dataclasses
import time
from itertools import pairwise

import pytest

from tests.headless import Participant, eventually
from visits.relay.engine import Refused
from visits.relay.wire import RoomEvent


async def test_a_reload_evicts_the_old_copy_at_once_and_leaves_no_ghost(relay):
    ann, ben, cam = people = [Participant(name) for name in ("ann", "ben", "cam")]
    await relay.enter(*people)
    index = next(i for i, who in relay.view("ann").slots.items() if who == "ben")
    await ann.sees("ben", index)
    await cam.sees("ben", 1)
    again = Participant("ben")
    joined = relay.admit(again, epoch=2)
    await eventually(lambda: ben.closed, within=1)
    assert joined.view == {0: "ann", 1: "cam"}
    now = time.monotonic()
    await again.connect(joined)
    await ann.sees("ben", index, since=now)
    await ann.sees("ben", index, "audio", since=now)
    await again.sees("ann", 0)
    await asyncio.sleep(0.3)
    assert len(relay.engine.halls["room"].copies) == 3
    assert len(relay.engine.roster) == 3
    for person in (ann, cam):
        assert {p.sender for p in person.seen(0) + person.seen(1)} == {"ann", "ben", "cam"} - {person.name}
        assert not person.seen(2)
        assert not person.seen(2, "audio")
    packets = ann.seen(index)
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
    assert [event for _, event in relay.events if event.peer == "ben" and event.kind == "gone"] == []
    connected = [event.epoch for _, event in relay.events if event.peer == "ben" and event.kind == "connected"]
    assert connected == [1, 2]


async def test_the_old_copy_can_neither_send_nor_leave_for_the_new_one(relay):
    ann, old, new = Participant("ann"), Participant("ben"), Participant("ben")
    await relay.enter(ann, old)
    await relay.enter(new, epoch=2)
    refused = relay.engine.counters["stranger"]
    old.publish(old.camera)
    await eventually(lambda: relay.engine.counters["stranger"] > refused)
    relay.engine.leave("room", "ben", 1)
    assert relay.engine.halls["room"].copies["ben"].epoch == 2


@pytest.mark.parametrize("epoch", [1, 0, -1])
async def test_an_epoch_is_accepted_once(relay, epoch):
    await relay.enter(Participant("ann"))
    with pytest.raises(Refused, match="stale-epoch"):
        relay.admit(Participant("ann"), epoch=epoch)
    relay.engine.leave("room", "ann", 1)
    with pytest.raises(Refused, match="stale-epoch"):
        relay.admit(Participant("ann"), epoch=epoch)
    relay.admit(Participant("ann"), epoch=2)


async def test_a_leave_that_overtakes_its_join_still_counts(relay):
    relay.engine.leave("room", "ann", 3)
    with pytest.raises(Refused, match="stale-epoch"):
        relay.admit(Participant("ann"), epoch=3)
    assert relay.engine.halls == {}
    relay.admit(Participant("ann"), epoch=4)
    relay.engine.leave("room", "ann", 2)  # late as well: the newer copy stays
    assert relay.engine.halls["room"].copies["ann"].epoch == 4


async def test_six_fit_and_a_seventh_is_refused(relay):
    people = [Participant(f"p{n}", pace=0.1) for n in range(6)]
    await relay.enter(*people)
    for person in people:
        for index in range(5):
            await eventually(lambda p=person, i=index: p.seen(i))
    with pytest.raises(Refused, match="room-full"):
        relay.admit(Participant("p6"))
    assert len(relay.engine.roster) == 6


async def test_who_falls_silent_is_away_then_back(quick_relay):
    ann, ben = Participant("ann"), Participant("ben")
    await quick_relay.enter(ann, ben)
    ben.quiet = True
    await eventually(lambda: quick_relay.kinds("ben") == ["connected", "away"], within=1.2)
    ben.quiet = False
    now = time.monotonic()
    await eventually(lambda: quick_relay.kinds("ben") == ["connected", "away", "back"], within=1)
    await ann.sees("ben", 0, since=now)
    assert quick_relay.kinds("ann") == ["connected"]


async def test_who_vanishes_is_away_then_gone_and_the_slot_is_free(quick_relay):
    ann, ben = Participant("ann"), Participant("ben")
    await quick_relay.enter(ann, ben)
    await ben.close(goodbye=False)
    await eventually(lambda: quick_relay.kinds("ben") == ["connected", "away", "gone"], within=3)
    assert quick_relay.view("ann").slots == {}
    assert len(quick_relay.engine.roster) == 1
    await quick_relay.enter(Participant("cam"))
    await ann.sees("cam", 0)


async def test_a_goodbye_is_heard_at_once(relay):
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await ben.close()
    await eventually(lambda: relay.kinds("ben") == ["connected", "gone"], within=1)
    assert relay.view("ann").slots == {}


async def test_who_never_connects_is_given_up(quick_relay):
    quick_relay.admit(Participant("ann"))
    await eventually(lambda: quick_relay.kinds("ann") == ["gone"], within=3)
    assert quick_relay.engine.halls == {}


async def test_another_certificate_than_the_offers_does_not_connect(relay):
    mallory = Participant("ann")
    joined = relay.admit(mallory)
    mallory._certificate = Participant("other")._certificate
    await mallory.open(joined)
    await eventually(lambda: relay.kinds("ann") == ["gone"])
    assert relay.engine.counters["handshake_failed"] == 1


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_handshake_survives_lost_datagrams(relay, lost):
    ann, dropped = Participant("ann"), []
    take = ann._take

    def lose(data: bytes) -> None:
        if 20 <= data[0] <= 63 and len(dropped) < lost:
            dropped.append(data)
        else:
            take(data)

    ann._take = lose
    await relay.enter(ann)
    await eventually(lambda: relay.kinds("ann") == ["connected"])
    assert len(dropped) == lost


async def test_leaving_and_closing_are_idempotent_and_say_goodbye(relay):
    ann, ben, cam = people = [Participant(name) for name in ("ann", "ben", "cam")]
    await relay.enter(*people)
    for _ in range(2):
        relay.engine.leave("room", "ann", 1)
        relay.engine.leave("nowhere", "ann", 1)
    await eventually(lambda: ann.closed)
    for _ in range(2):
        relay.engine.close_room("room")
    await eventually(lambda: ben.closed and cam.closed)
    assert relay.engine.halls == {}
    assert len(relay.engine.roster) == 0
    assert relay.engine.roster.by_address == {}
    assert relay.engine.roster.by_stream == {}


async def test_a_changed_network_is_followed_by_the_first_packet(relay):
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await ann.sees("ben", 0)
    await ben.move()
    now = time.monotonic()
    await ann.sees("ben", 0, since=now, within=1)
    await ben.sees("ann", 0, since=now, within=1)
    assert relay.kinds("ben") == ["connected"]
    assert relay.engine.counters["latched"] + relay.engine.counters["moved"] >= 3


async def test_a_check_without_nomination_moves_a_peer_whose_old_address_is_silent(relay):
    ann = Participant("ann")
    await relay.enter(ann)
    peer = relay.engine.halls["room"].copies["ann"]
    ann.quiet = True
    await asyncio.sleep(0.4)
    await ann.move()
    ann.quiet = False
    ann.send(ann.check(nominate=False))
    address = ann.transport.get_extra_info("sockname")
    await eventually(lambda: peer.address == address, within=0.4)


@pytest.mark.parametrize("on", [True, False])
async def test_a_screen_of_a_copy_that_is_not_here_is_refused(relay, on):
    with pytest.raises(Refused, match="no-peer"):
        relay.engine.share("room", "ann", 1, on=on)
    await relay.enter(Participant("ben"))
    for peer, epoch in (("ann", 1), ("ben", 2)):
        with pytest.raises(Refused, match="no-peer"):
            relay.engine.share("room", peer, epoch, on=on)


async def test_a_screen_ends_with_the_copy_that_showed_it(relay):
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann)
    await relay.enter(ben)
    relay.engine.share("room", "ann", 1, on=True)
    assert relay.view("ben").screen == "ann"
    await relay.enter(Participant("ann"), epoch=2)
    assert relay.view("ben").screen is None


async def test_the_node_has_its_limits(relay):
    relay.engine.admission.limits = dataclasses.replace(relay.engine.admission.limits, max_peers=2, max_rooms=2)
    relay.admit(Participant("ann"), room="one")
    relay.admit(Participant("ben"), room="two")
    with pytest.raises(Refused, match="node-crowded"):
        relay.admit(Participant("cam"), room="one")
    with pytest.raises(Refused, match="node-full"):
        relay.admit(Participant("cam"), room="three")
    relay.admit(Participant("ann"), room="one", epoch=2)


async def test_a_bad_offer_changes_nothing(relay):
    await relay.enter(Participant("ann"))
    for offer in ("", "v=0\r\n", "v=0\r\nm=audio 9 X 0\r\na=mid:0\r\na=fingerprint:sha-256 AA\r\n"):
        with pytest.raises(Refused, match="bad-sdp"):
            relay.engine.join("room", "ann", 2, offer, relay.address)
    assert relay.engine.halls["room"].copies["ann"].epoch == 1


async def test_the_state_of_a_room_can_be_told_anew(relay):
    await relay.enter(Participant("ann"), Participant("ben"))
    await eventually(lambda: relay.kinds("ben") == ["connected"])
    assert relay.engine.news("room") == [
        RoomEvent("connected", "ann", 1),
        RoomEvent("view", "ann", 1, {0: "ben"}),
        RoomEvent("connected", "ben", 1),
        RoomEvent("view", "ben", 1, {0: "ann"}),
    ]
