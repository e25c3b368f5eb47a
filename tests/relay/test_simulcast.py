"""Cameras in three layers, over the loopback interface: who gets which, and what it does to the others."""

import asyncio
import time
from itertools import pairwise

import pytest

from tests.headless import Participant, Stream, eventually, numbered_on
from tests.relay.offers import EXTENSIONS, RTX_PT
from visits.relay import pictures, rtcp, rtp, vp8
from visits.relay.bandwidth import BOOT_BITRATE, STRIKES

LAYERS = {"q": 300, "h": 600, "f": 1200}  # 50 frames a second: 120, 240 and 480 kbit/s
FULL, MIDDLE, SMALL, HIDDEN = 720, 300, 90, 0


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A layer is steady sooner, and the guesses fit these small pictures."""
    monkeypatch.setattr(pictures, "STEADY_AFTER", 0.3)
    monkeypatch.setitem(pictures.GUESS, "camera", (480_000, 240_000, 120_000))


@pytest.fixture
async def trio(relay):
    """Ann publishes layers; everybody sees everybody."""
    people = [Participant("ann", layers=LAYERS), Participant("ben"), Participant("cam")]
    await relay.enter(*people)
    for person in people[1:]:
        await shows(relay, person, "ann", "f")
    return people


def index_of(relay, receiver: Participant, publisher: str) -> int:
    view = relay.engine.halls["room"].room.members[receiver.name].view
    return next(index for index, who in view.slots.items() if who == publisher)


def last(relay, receiver: Participant, publisher: str):
    seen = receiver.seen(index_of(relay, receiver, publisher))
    return seen[-1] if seen else None


async def shows(relay, receiver: Participant, publisher: str, layer: str) -> None:
    """Wait until the receiver gets this layer, and it alone."""
    await eventually(lambda: (p := last(relay, receiver, publisher)) and p.layer == layer and p.sender == publisher)


def prefer(relay, receiver: Participant, publisher: str, height: int) -> None:
    relay.engine.prefer("room", receiver.name, 1, {index_of(relay, receiver, publisher): height})


def continuous(packets) -> bool:
    return all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))


def estimate(receiver: Participant, rate: int) -> None:
    receiver.send_rtcp(rtcp.remb(rate, []))


async def choke(relay, receiver: Participant, share: float) -> None:
    """The receiver's estimate falls to this share of what is sent to it."""
    copy = relay.engine.halls["room"].copies[receiver.name]
    await eventually(lambda: copy.sent.rate > 20_000)
    estimate(receiver, int(copy.sent.rate * 2))
    await asyncio.sleep(0.05)
    estimate(receiver, int(copy.sent.rate * share))


async def test_each_page_gets_the_layer_of_its_tile_and_the_switch_is_seamless(relay, trio):
    ann, ben, cam = trio
    for height, layer in ((SMALL, "q"), (FULL, "f"), (MIDDLE, "h"), (SMALL, "q"), (FULL, "f")):
        prefer(relay, ben, "ann", height)
        await shows(relay, ben, "ann", layer)
    packets = ben.seen(index_of(relay, ben, "ann"))
    assert continuous(packets)
    assert all(0 < (b.timestamp - a.timestamp) & 0xFFFFFFFF < 90_000 for a, b in pairwise(packets))
    for before, after in pairwise(packets):
        if before.layer != after.layer:
            assert vp8.is_keyframe(after.payload, 0)
    assert numbered_on(packets)
    # Nobody else's picture changed.
    assert {p.layer for p in cam.seen(index_of(relay, cam, "ann"))[-200:]} == {"f"}
    assert ann.rtcp["rejected"] == ben.rtcp["rejected"] == 0


async def test_a_hidden_picture_is_not_sent_and_comes_back_and_sound_goes_on(relay, trio):
    _, ben, cam = trio
    prefer(relay, ben, "ann", HIDDEN)
    index = index_of(relay, ben, "ann")
    await asyncio.sleep(0.1)
    pictures_seen, sounds = len(ben.seen(index)), len(ben.seen(index, "audio"))
    others = len(cam.seen(index_of(relay, cam, "ann")))
    await asyncio.sleep(0.4)
    assert len(ben.seen(index)) == pictures_seen
    assert len(ben.seen(index, "audio")) > sounds + 5
    assert len(cam.seen(index_of(relay, cam, "ann"))) > others + 5
    assert not relay.view("ben").steps
    prefer(relay, ben, "ann", FULL)
    await eventually(lambda: len(ben.seen(index)) > pictures_seen + 5)
    assert vp8.is_keyframe(ben.seen(index)[pictures_seen].payload, 0)
    assert continuous(ben.seen(index))


async def test_a_layer_that_dies_is_left_for_the_best_that_lives_and_taken_again_when_it_is_back(relay, trio):
    ann, ben, cam = trio
    ann.layers["f"].stopped = True
    for person in (ben, cam):
        await shows(relay, person, "ann", "h")
    ann.layers["h"].stopped = True
    await shows(relay, ben, "ann", "q")
    ann.layers["f"].stopped = ann.layers["h"].stopped = False
    for person in (ben, cam):
        await shows(relay, person, "ann", "f")
        assert continuous(person.seen(index_of(relay, person, "ann")))


async def test_a_publisher_whose_line_carries_only_the_smallest_layer_is_not_held_back(relay, trio):
    ann, ben, cam = trio
    ann.layers["f"].stopped = ann.layers["h"].stopped = True
    for person in (ben, cam):
        await shows(relay, person, "ann", "q")
    await asyncio.sleep(1)
    for person in (ben, cam):
        await choke(relay, person, 0.5)
    ann.rembs.clear()
    await eventually(lambda: len(ann.rembs) >= 2)
    assert all(rate == pytest.approx(BOOT_BITRATE, rel=0.05) for rate in ann.rembs)


async def test_a_late_joiner_sees_the_layer_that_fits_at_once(relay, trio):
    late = Participant("dan")
    await relay.enter(late)
    await shows(relay, late, "ann", "f")
    first = late.seen(index_of(relay, late, "ann"))[0]
    assert first.layer == "f"
    assert vp8.is_keyframe(first.payload, 0)


async def test_in_a_visit_of_two_the_whole_picture_is_shown_however_small_the_tile(relay):
    ann, ben = Participant("ann", layers=LAYERS), Participant("ben")
    await relay.enter(ann, ben)
    await eventually(lambda: ben.seen(0))
    prefer(relay, ben, "ann", SMALL)
    await shows(relay, ben, "ann", "f")
    cam = Participant("cam")
    await relay.enter(cam)
    await shows(relay, ben, "ann", "q")
    await cam.close()
    await shows(relay, ben, "ann", "f")


async def test_congestion_of_one_receiver_touches_nobody_else(relay, trio):
    ann, ben, cam = trio
    await asyncio.sleep(1.2)  # rates are known
    prefer(relay, ben, "ann", MIDDLE)
    await shows(relay, ben, "ann", "h")
    await asyncio.sleep(1.2)
    ann.rembs.clear()
    started, index = time.monotonic(), index_of(relay, ben, "ann")
    await choke(relay, ben, 0.75)
    await shows(relay, ben, "ann", "q")
    await eventually(lambda: relay.view("ben").steps == {index: "low"})
    assert relay.view("ann").watched == {"ben": "low"}
    for _ in range(STRIKES):
        await asyncio.sleep(1.2)
        if relay.view("ben").steps.get(index) == "paused":
            break
        await choke(relay, ben, 0.5)
    await eventually(lambda: relay.view("ben").steps.get(index) == "paused")
    sounds = len(ben.seen(index_of(relay, ben, "ann"), "audio"))
    await asyncio.sleep(1.5)
    assert len(ben.seen(index_of(relay, ben, "ann"), "audio")) - sounds > 40
    # The good receiver and the publisher have noticed nothing.
    during = [p for p in cam.seen(index_of(relay, cam, "ann")) if p.at > started]
    assert {p.layer for p in during} == {"f"}
    assert continuous(during)
    assert max(b.at - a.at for a, b in pairwise(during)) < 1
    assert ann.rembs
    assert all(rate == pytest.approx(BOOT_BITRATE, rel=0.05) for rate in ann.rembs)


async def test_with_one_size_for_several_a_receiver_too_slow_loses_the_picture_and_no_other(relay):
    ann, ben, cam = (Participant(name) for name in ("ann", "ben", "cam"))
    ann.camera.size = 1200
    await relay.enter(ann, ben, cam)
    for person in (ben, cam):
        await person.sees("ann", index_of(relay, person, "ann"))
    await asyncio.sleep(1.2)
    index = index_of(relay, ben, "ann")
    await choke(relay, ben, 0.6)
    await eventually(lambda: relay.view("ben").steps.get(index) == "paused")
    assert relay.view("ann").watched == {"ben": "paused"}
    seen, others = len(ben.seen(index)), len(cam.seen(index_of(relay, cam, "ann")))
    ann.rembs.clear()
    await asyncio.sleep(1.2)
    assert len(ben.seen(index)) == seen
    assert len(cam.seen(index_of(relay, cam, "ann"))) > others + 30
    assert all(rate == pytest.approx(BOOT_BITRATE, rel=0.05) for rate in ann.rembs)
    assert ben.seen(index, "audio")[-1].at > ben.seen(index)[-1].at + 1


async def test_in_a_visit_of_two_the_publisher_fits_its_picture_to_the_receiver(relay):
    ann, ben = Participant("ann"), Participant("ben")
    ann.camera.size = 1200
    await relay.enter(ann, ben)
    await ben.sees("ann", 0)
    await asyncio.sleep(1.2)
    await choke(relay, ben, 0.6)
    await eventually(lambda: ann.rembs and 200_000 < ann.rembs[-1] < 400_000)
    await eventually(lambda: relay.view("ben").steps == {0: "low"})
    seen = len(ben.seen(0))
    await eventually(lambda: len(ben.seen(0)) > seen + 20)
    ann.camera.size = 100
    await asyncio.sleep(1.2)
    for _ in range(3):
        estimate(ben, 1_000_000)
        await asyncio.sleep(0.6)
    await eventually(lambda: ann.rembs[-1] > 900_000)
    assert not relay.view("ben").steps


async def test_retransmissions_of_a_layer_are_known_by_their_rid(relay, trio):
    ann, ben, _ = trio
    ann.publish(ann.layers["f"], skip=1)
    missing = ann.layers["f"].sequence - 1 & 0xFFFF
    rtx = Stream("video", "1", 424242, rid="f")
    packet = bytearray(
        ann.packet(rtx, missing.to_bytes(2, "big") + b"\x00\x01f" + b"by rtx".rjust(30) + b"ann".ljust(16, b"\0"))
    )
    packet[1] = RTX_PT
    at = packet.index(bytes([EXTENSIONS[rtp.RID] << 4]) + b"f", 12)
    packet[at] = EXTENSIONS[rtp.REPAIRED_RID] << 4
    ann.send_rtp(bytes(packet))
    await eventually(lambda: any(b"by rtx" in p.payload for p in ben.seen(index_of(relay, ben, "ann"))))


@pytest.mark.parametrize("rid", [b"", b"x", b"q" * 16, b"\xff\xfe", b"f\0"])
async def test_a_layer_that_was_not_offered_is_nobodys(relay, trio, rid):
    ann, ben, cam = trio
    stray = Stream("video", "1", 777777)
    refused = relay.engine.counters["rtp_unknown_stream"]
    for _ in range(3):
        stray.sequence += 1
        packet = ann.packet(stray, b"\x10\x00z" + b"stray".ljust(16, b"\0"))
        head, body = packet[:12], packet[20:]
        elements = bytes([EXTENSIONS[rtp.MID] << 4]) + b"1"
        elements += bytes([EXTENSIONS[rtp.RID] << 4 | len(rid) - 1]) + rid if rid else b""
        elements += bytes(-len(elements) % 4)
        ann.send_rtp(head + b"\xbe\xde" + (len(elements) // 4).to_bytes(2, "big") + elements + body)
    await eventually(lambda: relay.engine.counters["rtp_unknown_stream"] == refused + 3)
    for person in (ben, cam):
        await shows(relay, person, "ann", "f")
        assert not any(p.sender == "stray" for mid in person.by_mid.values() for p in mid)


async def test_hostile_estimates_and_heights_are_their_senders_own_harm(relay, trio):
    ann, ben, cam = trio
    for rate in (0, 1, (1 << 63) - 1, 0, 5_000_000):
        estimate(ben, rate)
    for heights in ({}, {0: -5}, {99: 5}, {0: 1 << 70, 5: 0}):
        relay.engine.prefer("room", "ben", 1, heights)
    relay.engine.prefer("room", "ben", 7, {0: 0})
    relay.engine.prefer("room", "nobody", 1, {0: 0})
    await asyncio.sleep(0.3)
    await shows(relay, cam, "ann", "f")
    assert not [name for name in relay.engine.counters if name.startswith("error")]
    assert max(relay.engine.halls["room"].copies["ben"].heights, default=0) <= 5
    assert ann.rembs[-1] == pytest.approx(BOOT_BITRATE, rel=0.05)
