"""The batched path beside the portable one: the same packets, and no route that outlives what it was made from."""

import asyncio
import contextlib
import random
import socket
import struct
import sys
import time
from itertools import pairwise

import pytest

from tests.headless import Participant, eventually
from tests.relay.conftest import Relay
from tests.relay.offers import EXTENSIONS, VIDEO_PT
from visits.relay import kernel, paths, ring, rtcp, rtp
from visits.relay.compiled import LATE_COST
from visits.relay.config import Limits
from visits.relay.counters import Counters
from visits.relay.hooks import in_place
from visits.relay.mmsg import address_word, word_address
from visits.relay.ring import reserve
from visits.relay.tables import OWN_SHAPES
from visits.relay.udp import UdpPort, bind


class Listener(Participant):
    """Keeps every RTP packet as it came, decrypted, and every datagram's arrival at its first port."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.raw: list[bytes] = []

    def _take_rtp(self, packet: bytes | None) -> None:
        if packet is not None:
            self.raw.append(packet)
        super()._take_rtp(packet)


@pytest.fixture
async def batched():
    relay = Relay(Limits(), "batched")
    yield relay
    await relay.close()


def route(relay: Relay, name: str, role: str = "camera"):
    return relay.engine.halls["room"].copies[name].tracks[role].route


async def steady(relay: Relay, *people: Participant) -> None:
    """Wait until all that they publish has routes."""
    await eventually(lambda: all(route(relay, p.name, role) for p in people for role in ("microphone", "camera")))


# ---- the same packets


def strange_stream(person: Participant, seed: int) -> list[bytes]:
    """A picture stream with all that a stream can have, the same for the same seed."""
    chance = random.Random(seed)
    sequence, timestamp = chance.randrange(65000, 65536), chance.randrange(1 << 32)
    packets = []
    for number in range(900):
        sequence += chance.choice([1] * 40 + [2, 3, 70])
        timestamp = timestamp + chance.choice([0, 3000]) & 0xFFFFFFFF
        elements = []
        if number < 20 or chance.random() < 0.1:
            elements.append(bytes([EXTENSIONS[rtp.MID] << 4]) + person.camera.mid.encode())
        for uri, size, share in (
            (rtp.ABS_SEND_TIME, 3, 0.9),
            (rtp.AUDIO_LEVEL, 1, 0.3),
            (rtp.VIDEO_ORIENTATION, 1, 0.1),
        ):
            if uri in EXTENSIONS and chance.random() < share:
                elements.append(bytes([EXTENSIONS[uri] << 4 | size - 1]) + chance.randbytes(size))
        if chance.random() < 0.05:
            elements.append(b"\xd2" + chance.randbytes(3))  # an id that was not agreed on
        block = b"".join(elements)
        block += bytes(-len(block) % 4)
        first = 0x90 if block or chance.random() < 0.9 else 0x80
        csrcs = chance.randbytes(8) if chance.random() < 0.03 else b""
        second = VIDEO_PT | (rtp.MARKER if chance.random() < 0.2 else 0)
        header = rtp.HEADER.pack(first | len(csrcs) // 4, second, sequence & 0xFFFF, timestamp, person.camera.ssrc)
        if first & 0x10:
            csrcs += struct.pack(">HH", rtp.ONE_BYTE_PROFILE, len(block) // 4) + block
        keyframe = number == 0 or chance.random() < 0.02
        payload = (
            b"\x10" + (b"\x00" if keyframe else b"\x01") + chance.randbytes(chance.choice([1, 20, 90] * 6 + [1150]))
        )
        packets.append(header + csrcs + payload)
    for _ in range(40):  # some are late, some come twice
        at = chance.randrange(5, 890)
        packets.insert(at + chance.randrange(1, 9), packets.pop(at) if chance.random() < 0.5 else packets[at])
    return packets


async def through(path: str, seed: int) -> tuple[list[list[bytes]], dict[str, int]]:
    """What two receivers get of the stream, without what is random in each call: base of the numbers, SSRC, clock."""
    relay = Relay(Limits(), path)
    ann, ears = Participant("ann"), [Listener("ben"), Listener("cam")]
    for person in (ann, *ears):
        person.publish = lambda stream, **_: b""  # nothing of its own
    await relay.enter(ann, *ears)
    await eventually(lambda: len(relay.engine.halls["room"].copies["ann"].tracks["camera"].outputs) == 2)
    for packet in strange_stream(ann, seed):
        ann.send_rtp(packet)
        await asyncio.sleep(0.0005)
    seen = -1
    while seen != (seen := sum(len(person.raw) for person in ears)):
        await asyncio.sleep(0.3)
    heard = []
    for person in ears:
        index = next(i for i, who in relay.view(person.name).slots.items() if who == "ann")
        ssrc = next(s for s, mid in person._mid_of.items() if mid == person.slot_mid(index, "video"))
        own = [p for p in person.raw if p[8:12] == ssrc.to_bytes(4, "big")]
        heard.append([plain(packet, own[0]) for packet in own])
    counters = dict(relay.engine.counters)
    await relay.close()
    return heard, counters


def plain(packet: bytes, first: bytes) -> bytes:
    """The packet, numbered from the first one on."""
    flags, second, sequence, timestamp, _ = rtp.HEADER.unpack_from(packet)
    base = rtp.HEADER.unpack_from(first)
    out = bytearray(packet)
    numbers = sequence - base[2] & 0xFFFF, timestamp - base[3] & 0xFFFFFFFF
    rtp.HEADER.pack_into(out, 0, flags, second, *numbers, 0)
    for number, at, length in rtp.extensions(out):
        if number == EXTENSIONS.get(rtp.ABS_SEND_TIME):
            out[at + 1 : at + 1 + length] = bytes(length)
    return bytes(out)


@pytest.mark.parametrize("seed", [1, 2])
async def test_both_paths_make_the_same_packets_of_a_stream(seed):
    one, counted = await through("portable", seed)
    other, batched = await through("batched", seed)
    assert len(one[0]) > 850
    assert one == other
    assert counted["nack_own"] == batched["nack_own"]


async def test_packets_of_a_new_shape_that_come_in_one_batch_all_pass(batched):
    ann, ben = Participant("ann"), Listener("ben")
    for person in (ann, ben):
        person.publish = lambda stream, **_: b""
    await batched.enter(ann, ben)
    await eventually(lambda: batched.engine.halls["room"].copies["ann"].tracks["camera"].outputs)
    number, offset = EXTENSIONS[rtp.ABS_SEND_TIME] << 4 | 2, 1000
    for padding in (b"", b"\0", b"\0\0"):  # the clock stands elsewhere in each
        for _ in range(20):
            offset += 1
            elements = padding + bytes([number]) + b"now" + b"\0" * (4 - len(padding))
            packet = rtp.HEADER.pack(0x90, VIDEO_PT, offset, offset, ann.camera.ssrc)
            packet += struct.pack(">HH", rtp.ONE_BYTE_PROFILE, 2) + elements
            ann.send_rtp(packet + (b"\x10\x00" if offset == 1001 else b"\x10\x01") + b"x" * 30)
    await eventually(lambda: len(ben.raw) == 60)
    assert [name for name in batched.engine.counters if name.startswith("error_")] == []
    assert len({rtp.extension_value(packet, EXTENSIONS[rtp.ABS_SEND_TIME]) for packet in ben.raw} - {b"now"}) > 0
    assert not any(b"now" in packet for packet in ben.raw)


async def test_a_stream_that_has_ever_new_shapes_holds_few_of_them(batched):
    ann, ben = Participant("ann"), Listener("ben")
    for person in (ann, ben):
        person.publish = lambda stream, **_: b""
    await batched.enter(ann, ben)
    await eventually(lambda: batched.engine.halls["room"].copies["ann"].tracks["camera"].outputs)
    for number in range(300):
        elements = (
            struct.pack(">I", 0x10 << 24 | 0x20 << 8) if number % 3 else bytes([0xD0 | number % 4, 1, 2, 3, 4, 5])
        )
        elements += bytes([(number % 14 + 1) << 4, 7]) + bytes(number % 9)
        elements += bytes(-len(elements) % 4)
        packet = rtp.HEADER.pack(0x90, VIDEO_PT, number, number, ann.camera.ssrc)
        packet += struct.pack(">HH", rtp.ONE_BYTE_PROFILE, len(elements) // 4) + elements
        ann.send_rtp(packet + (b"\x10\x00" if number == 0 else b"\x10\x01") + b"x" * 30)
        await asyncio.sleep(0.001)
    await eventually(lambda: len(ben.raw) == 300)
    tables = batched.port._routes.tables
    assert 1 < len(tables._held) <= OWN_SHAPES
    batched.engine.close_room("room")
    assert not tables._held
    assert not batched.port._routes.by_row


# ---- what ends a route


async def leave(relay: Relay, ben: Participant) -> None:
    relay.engine.leave("room", "ben", 1)


async def evict(relay: Relay, ben: Participant) -> None:
    newer = Participant("ben")
    await relay.enter(newer, epoch=2)


async def close_room(relay: Relay, ben: Participant) -> None:
    relay.engine.close_room("room")


@pytest.mark.parametrize("end", [leave, evict, close_room])
async def test_nothing_more_is_sent_to_who_is_no_longer_to_get_it(batched, end):
    ann, ben = Participant("ann", pace=0.002), Listener("ben")
    await batched.enter(ann, ben)
    await steady(batched, ann, ben)
    assert any(slot.owner.peer_id == "ben" for slot in route(batched, "ann").slots)
    await end(batched, ben)
    await asyncio.sleep(0.02)  # for what the kernel has
    got = len(ben.raw)
    await asyncio.sleep(0.4)
    assert len(ben.raw) == got
    known = list(batched.port._routes.by_row.values())
    gone = batched.engine.halls["room"].copies.get("ben") if end is not close_room else None
    assert all(slot.owner is gone for r in known for slot in r.slots if slot.owner.peer_id == "ben")


def empty(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.recv(2048)


async def test_a_route_follows_a_receiver_that_moves_and_nothing_goes_to_the_old_address(batched):
    ann, ben = Participant("ann", pace=0.002), Participant("ben")
    await batched.enter(ann, ben)
    await steady(batched, ann, ben)
    old = ben.transport.get_extra_info("sockname")
    await ben.move()
    await asyncio.sleep(0.01)  # the old port is closed
    left_behind = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    left_behind.setblocking(False)
    left_behind.bind(old)
    ben.send(ben.check())
    new = ben.transport.get_extra_info("sockname")
    await eventually(lambda: batched.engine.halls["room"].copies["ben"].address == new)
    await steady(batched, ann, ben)
    empty(left_behind)  # of what came before the move
    await asyncio.sleep(0.3)
    with pytest.raises(BlockingIOError):
        left_behind.recv(2048)
    left_behind.close()
    lanes = batched.port._routes.tables.lanes[route(batched, "ann").row]
    assert lanes["destination"].tolist()[:1] == [address_word(new)]
    assert old != new


async def test_who_is_away_is_heard_again_with_the_first_packet_and_told_of():
    relay = Relay(Limits(away_after=0.4, gone_after=5), "batched")
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await steady(relay, ann, ben)
    ann.quiet = True
    await eventually(lambda: relay.kinds("ann")[-1] == "away")
    assert route(relay, "ann") is None
    ann.quiet = False
    await eventually(lambda: relay.kinds("ann")[-1] == "back")
    await steady(relay, ann, ben)
    await relay.close()


async def test_a_switch_in_the_middle_is_one_continuous_stream(batched):
    ann, cam, ben = Participant("ann", pace=0.004), Participant("cam", pace=0.004), Participant("ben")
    await batched.enter(ann, cam, ben)
    await steady(batched, ann, cam, ben)
    copies = batched.engine.halls["room"].copies
    slot = copies["ben"].slots[0][1]
    copies["ben"].watching.clear()  # nobody else chooses what it shows
    for publisher in ("cam", "ann") * 4:
        track = copies[publisher].tracks["camera"]
        before = slot.packets
        slot.assign(track)
        batched.engine._forwarder.ask_keyframe(track, asyncio.get_running_loop().time())
        await eventually(lambda t=track: slot.source is t and t.route is not None)
        await eventually(lambda n=before: slot.packets > n + 20)
    numbers = [packet.sequence for packet in ben.seen(0)]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    assert {packet.sender for packet in ben.seen(0)} == {"ann", "cam"}
    assert ben.rtcp["rejected"] == 0


# ---- wraps, losses, and what lies between good packets


async def test_numbers_wrap_on_both_sides(batched):
    ann, ben = Participant("ann", pace=0.002), Participant("ben")
    ann.camera.sequence = ann.microphone.sequence = 65400
    joined = [batched.admit(person) for person in (ann, ben)]
    for slot in batched.engine.halls["room"].copies["ben"].every_slot():
        slot.last_sequence = 65300
    for person, answer in zip((ann, ben), joined, strict=True):
        await person.connect(answer)
    await steady(batched, ann)
    for kind in ("audio", "video"):
        await eventually(lambda k=kind: len(ben.seen(0, k)) > 500)
        numbers = [packet.sequence for packet in ben.seen(0, kind)]
        assert numbers[0] > 65000
        assert numbers[-1] < 5000
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    assert ann.nacked == []


async def test_the_ring_goes_round_and_repairs_only_what_it_still_has(batched):
    ann, ben = Participant("ann", pace=0.003), Participant("ben")
    await batched.enter(ann, ben)
    await steady(batched, ann, ben)
    ssrc = next(s for s, mid in ben._mid_of.items() if mid == ben.slot_mid(0, "video"))
    counters, book = batched.engine.counters, batched.port._ring.array
    wanted = ben.seen(0)[-1].sequence
    ben.send_rtcp(rtcp.nack(ssrc, [wanted]))
    await eventually(lambda: counters["nack_hit"] == 1)
    await eventually(lambda: ben.rtcp["rejected"] == 1)  # the identical packet, which is a replay to who has it
    assert not ann.nacked
    lap = int(book[ring.LAP_AT])
    while book[ring.LAP_AT] < lap + 2 * ring.LAP:  # as if others had sent much
        reserve(book, 600, 1 << 60)
        book[ring.FIRST] += 600
    ben.send_rtcp(rtcp.nack(ssrc, [wanted - 1 & 0xFFFF]))
    await eventually(lambda: ann.nacked)  # the publisher is asked
    assert counters["nack_hit"] == 1
    seen = len(ben.seen(0))
    await eventually(lambda: len(ben.seen(0)) > seen + 50)
    assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(ben.seen(0)))
    newest = ben.seen(0)[-1].sequence
    ben.send_rtcp(rtcp.nack(ssrc, [newest]))
    await eventually(lambda: counters["nack_hit"] == 2)


async def test_a_loss_is_asked_for_and_the_late_packet_passes_once(batched):
    ann, ben = Participant("ann", pace=0.005), Participant("ben")
    await batched.enter(ann, ben)
    await steady(batched, ann, ben)
    ann.publish(ann.camera, skip=2)
    missing = [ann.camera.sequence - 2 & 0xFFFF, ann.camera.sequence - 1 & 0xFFFF]
    await eventually(lambda: ann.nacked[-2:] == missing)
    assert route(batched, "ann") is not None  # a loss is no reason to give the route up
    newest = ann.camera.sequence
    for sequence in (*missing, *missing):
        ann.camera.sequence = sequence
        ann.send_rtp(ann.packet(ann.camera, b"\x00\x01" + b"late".rjust(30) + ann.name.encode().ljust(16, b"\0")))
    ann.camera.sequence = newest
    await eventually(lambda: sum(b"late" in p.payload for p in ben.seen(0)) == 2)
    await asyncio.sleep(0.2)
    numbers = sorted(p.sequence for p in ben.seen(0))
    assert len(numbers) == len(set(numbers))
    assert ben.rtcp["rejected"] == 0


async def test_forged_and_malformed_packets_between_good_ones_cost_nobody_else_a_packet(batched):
    ann, ben, mallory = Participant("ann"), Participant("ben"), Participant("mallory")
    await batched.enter(ann, ben, mallory)
    await steady(batched, ann, ben, mallory)
    counters = batched.engine.counters
    chance = random.Random(7)
    for _ in range(60):
        for _ in range(4):
            good = mallory.packet(mallory.camera, b"\x00\x01" + b"x" * 40)
            ahead = mallory.camera.sequence + 1 & 0xFFFF
            good = good[:2] + ahead.to_bytes(2, "big") + good[4:]
            forged = good + chance.randbytes(16)  # the next packet by its header, the key is not known
            junk = chance.choice([forged, forged[: chance.randrange(40)], good[:12], b"\x90", b"", b"\xff" * 1600])
            mallory.send(junk)
            ann.publish(ann.camera)
            ann.publish(ann.microphone)
            mallory.send(chance.choice([b"\x90\x60" + forged[2:], forged[:3] + b"\xff" * 40, b"\x80" * 1499]))
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert counters["srtp_rejected"] > 50
    assert counters["size"] > 5
    assert [name for name in counters if name.startswith("error_")] == []
    index = next(i for i, who in batched.view("ben").slots.items() if who == "ann")
    for kind in ("audio", "video"):
        numbers = [packet.sequence for packet in ben.seen(index, kind)]
        assert len(numbers) > 240
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))


async def test_who_is_over_budget_gets_no_more_than_the_portable_path_would_give():
    relay = Relay(Limits(packets_per_second=300), "batched")
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await steady(relay, ann)
    passed = relay.engine.counters["forwarded"]
    for _ in range(60):
        for _ in range(40):
            ann.publish(ann.microphone)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert relay.engine.counters["over_budget"] > 500
    assert relay.engine.counters["forwarded"] - passed < 2400 * 0.75
    assert relay.engine.halls["room"].copies["ann"].budget >= 0
    await relay.close()


async def test_replays_are_paid_for_as_the_work_that_they_are():
    relay = Relay(Limits(packets_per_second=300), "batched")
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await steady(relay, ann)
    packet = ann.link.protect(ann.packet(ann.microphone, b"again" * 5))
    ann.send(packet)
    await asyncio.sleep(0.05)
    counters = relay.engine.counters
    rejected, began = counters["srtp_rejected"], time.monotonic()
    for _ in range(20):
        for _ in range(40):
            ann.send(packet)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    budget = 300 * (1 + time.monotonic() - began)
    assert 0 < counters["srtp_rejected"] - rejected <= budget / (1 + LATE_COST)
    assert counters["over_budget"] > 300
    await relay.close()


async def test_six_people_each_get_everybody(batched):
    people = [Participant(f"person-{n}", pace=0.02) for n in range(6)]
    await batched.enter(*people)
    await steady(batched, *people)
    before = batched.engine.counters["sends"], batched.engine.counters["forwarded"]
    await asyncio.sleep(1)
    sends, forwarded = (batched.engine.counters[n] - b for n, b in zip(("sends", "forwarded"), before, strict=True))
    assert forwarded > 3 * sends
    for person in people:
        others = {p.name for p in people if p is not person}
        for kind in ("audio", "video"):
            assert {person.seen(index, kind)[-1].sender for index in range(5)} == others
            for index in range(5):
                assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(person.seen(index, kind)))
        assert person.rtcp["rejected"] == 0


# ---- the parts


def test_an_address_is_one_word_and_back():
    for address in (("127.0.0.1", 1), ("198.51.100.255", 65535)):
        assert word_address(address_word(address)) == address


def test_a_ring_grows_while_its_laps_are_short_and_knows_what_it_has_lost():
    made, now = ring.Ring(in_place(), 1500, 3 * ring.STEP), 100 * 10**9
    book = made.array
    place = reserve(book, 10, now)
    made.words[place * made.stride // 4] = 4
    made.memory[place * made.stride + 16 : place * made.stride + 20] = b"kept"
    book[ring.FIRST] += 1
    reference = int(book[ring.LAP_AT]) + place
    assert made.read(reference) == b"kept"

    def go_round(count: int) -> None:
        reserve(book, count, now)
        book[ring.FIRST] += count

    while book[ring.SIZE] < 3 * ring.STEP:  # in a moment: it grows
        go_round(500)
    assert made.read(reference) == b"kept"
    lap = int(book[ring.LAP_AT])
    while book[ring.LAP_AT] == lap:
        go_round(500)
    assert book[ring.SIZE] == 3 * ring.STEP
    assert made.read(reference) is None  # its place was given out
    assert made.read(lap + 2 * ring.STEP) is not None  # this one not yet


@pytest.mark.parametrize("missing", ["kernel", "pylibsrtp", "numba"])
def test_where_the_batched_path_cannot_run_the_portable_one_does(monkeypatch, missing):
    if missing == "kernel":
        monkeypatch.setattr(kernel, "libc", None)
    elif missing == "numba":
        monkeypatch.setitem(sys.modules, "visits.relay.batched", None)
    else:
        monkeypatch.setattr(paths, "in_place", lambda: None)
    with bind("127.0.0.1", 0) as sock:
        assert type(paths.make_port(sock, Limits(), Counters())) is UdpPort
        with pytest.raises(paths.PathMissing):
            paths.make_port(sock, Limits(), Counters(), "batched")
