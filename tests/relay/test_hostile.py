"""Malformed, forged and hostile packets: each ends with itself, and the others' media goes on."""

import asyncio
import random
import re
import socket
import struct
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.headless import Participant, eventually
from tests.relay.conftest import Relay
from tests.relay.offers import EXTENSIONS, VIDEO_PT
from visits.relay import rtcp, rtp
from visits.relay.config import Limits

SEEDS = Path(__file__).parents[3] / "shared" / "data" / "fuzz-seeds"
MUTATIONS = 1500


def mutations(seeds: list[bytes], count: int, seed: int) -> list[bytes]:
    """The seeds, and `count` mutations of them, the same in every run."""
    chance = random.Random(seed)
    made = list(seeds)
    for _ in range(count):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(5):
                case 0:
                    data[at : at + 1] = bytes([chance.randrange(256)])
                case 1:
                    data[at:] = b""
                case 2:
                    data[at:at] = chance.randbytes(chance.randrange(1, 30))
                case 3:
                    data[at : at + 2] = b"\xff\xff"
                case 4:
                    data[at : at + chance.randrange(1, 9)] = b""
        made.append(bytes(data))
    return made


def kept_seeds(kind: str) -> list[bytes]:
    """Captured and fuzzed packets beside the repository, if they are there."""
    return [path.read_bytes() for path in sorted((SEEDS / kind).glob("*"))] if SEEDS.is_dir() else []


def rtp_seeds(person: Participant) -> list[bytes]:
    """Well-formed packets of the person, and some that are not."""
    good = person.packet(person.camera, b"\x90\x80\x80\x01\x00" + b"x" * 40)
    head = good[:12]
    one_byte = struct.pack(">HH", rtp.ONE_BYTE_PROFILE, 1)
    return [
        good,
        head + one_byte + b"\xff\xff\xff\xff" + b"\x10\x00",  # reserved id
        head + one_byte + b"\x4f\x31\x00\x00" + b"\x10\x00",  # element beyond its block
        head + struct.pack(">HH", rtp.ONE_BYTE_PROFILE, 0xFFFF) + b"\x10",  # block beyond the packet
        head + struct.pack(">HH", 0x1000, 1) + b"\x01\x09\x00\x00\x10\x00",  # two-byte elements
        head + one_byte[:2],
        b"\xbf" + head[1:] + b"\xff",  # 15 CSRCs and an extension that are not there
        b"\xb0" + good[1:] + b"\xff",  # more padding than payload
        head[:1] + bytes([VIDEO_PT + 1]) + good[2:] + b"\x00",
        head[:1] + bytes([35]) + good[2:],
        head,
    ]


def rtcp_seeds(person: Participant, slot_ssrc: int) -> list[bytes]:
    """What a browser sends, and some that none would."""
    block = rtcp.ReportBlock(slot_ssrc, 0, 70000, 3, 4, 5)
    return [
        rtcp.receiver_report([block]),
        rtcp.sender_report(rtcp.SenderReport(person.camera.ssrc, 1 << 63, 1, 2, 3))
        + rtcp.receiver_report([block] * 31),
        rtcp.nack(slot_ssrc, range(0, 60000, 17)),
        rtcp.pli(slot_ssrc),
        struct.pack(">BBHII", 0x84, 206, 2, 1, 0),  # FIR without entries
        rtcp.remb(1 << 62, [slot_ssrc]),
        rtcp.remb(0, [slot_ssrc] * 200),
        rtcp.remb(300_000, [])[:-4],
        struct.pack(">BBHII4sI", 0x8F, 206, 4, 1, 0, b"REMB", 0xFF << 24 | 0xFFFFFF),  # 255 SSRCs that are not there
        struct.pack(">BBH", 0x9F, 201, 0xFFFF) + b"\0" * 40,
        struct.pack(">BBHI", 0x81, 203, 1, person.camera.ssrc),  # BYE
        struct.pack(">BBH", 0x80, 207, 0) * 300,
    ]


STUN_SEEDS = [
    b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12,
    b"\x01\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12,
    b"\x00\x01\x00\x08\x21\x12\xa4\x42" + b"t" * 12 + b"\x00\x06\x00\x04abcd",
    b"\x00\x01\x00\x10\x21\x12\xa4\x42" + b"t" * 12 + b"\x00\x06\x00\x04\xff\xfe\xfd\xfc\x00\x08\x00\x04\0\0\0\0",
]
DTLS_SEEDS = [
    bytes([22, 254, 253]) + b"\0" * 8 + b"\x00\x10" + b"\x01" * 16,
    bytes([21, 254, 253]) + b"\0" * 8 + b"\x00\x02\x02\x28",  # fatal alert, in clear
    bytes([21, 254, 253]) + b"\0" * 8 + b"\x00\x02\x01\x00",  # close_notify, in clear
    bytes([23, 254, 253, 0, 1]) + b"\0" * 6 + b"\x00\x20" + b"\x55" * 32,
    bytes([20, 254, 253]) + b"\0" * 8 + b"\x00\x01\x01",
]


@pytest.fixture
async def call(relay):
    """Ann and Ben talk; Mallory is in the room too."""
    ann, ben, mallory = people = [Participant(name) for name in ("ann", "ben", "mallory")]
    await relay.enter(*people)
    await ann.sees("ben", 0)
    await ben.sees("ann", 0)
    await ann.sees("mallory", 1)
    mallory.slot_ssrc = next(s for s, mid in mallory._mid_of.items() if mid == mallory.slot_mid(0, "video"))
    return ann, ben, mallory


async def flood(send, packets: list[bytes]) -> None:
    """Send at a pace that the relay's budget allows."""
    for number, packet in enumerate(packets):
        send(packet)
        if number % 20 == 19:
            await asyncio.sleep(0.015)
    await asyncio.sleep(0.1)


async def goes_on(relay, ann: Participant, ben: Participant) -> None:
    """Ann and Ben hear and see each other without a gap, and nothing of ours broke."""
    now = time.monotonic()
    for kind in ("audio", "video"):
        await ann.sees("ben", 0, kind, since=now)
        await ben.sees("ann", 0, kind, since=now)
        for person in (ann, ben):
            numbers = [packet.sequence for packet in person.seen(0, kind)]
            assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    assert not ann.closed
    assert not ben.closed
    assert [name for name in relay.engine.counters if name.startswith("error_")] == []


async def test_malformed_rtp_of_somebody_in_the_room(relay, call):
    """Row 23 of the checklist: malformed SRTP with the right keys does not stop others."""
    ann, ben, mallory = call
    packets = mutations(rtp_seeds(mallory) + kept_seeds("rtp"), MUTATIONS, 1)
    rejected = relay.engine.counters["srtp_rejected"]
    taken = 0

    def send(packet: bytes) -> None:
        nonlocal taken
        mallory.camera.sequence = mallory.camera.sequence + 1 & 0xFFFF  # or it would pass for a replay
        packet = packet[:2] + mallory.camera.sequence.to_bytes(2, "big") + packet[4:]
        protected = mallory.link.protect(packet)  # libsrtp itself refuses some
        if protected is not None:
            taken += 1
            mallory.send(protected)

    await flood(send, packets)
    assert taken - (relay.engine.counters["srtp_rejected"] - rejected) > 200
    assert relay.engine.counters["malformed"] + relay.engine.counters["rtp_payload_type"] > 50
    await goes_on(relay, ann, ben)
    now = time.monotonic()
    await mallory.sees("ann", 0, since=now)


@pytest.mark.parametrize("kind", ["rtp", "rtcp"])
async def test_packets_that_libsrtp_would_not_let_through(relay, call, monkeypatch, kind):
    ann, ben, mallory = call
    link = relay.engine.halls["room"].copies["mallory"].link
    monkeypatch.setattr(link, "unprotect", bytes)
    monkeypatch.setattr(link, "unprotect_rtcp", bytes)
    mallory.quiet = True
    seeds = rtp_seeds(mallory) if kind == "rtp" else rtcp_seeds(mallory, mallory.slot_ssrc)
    await flood(mallory.transport.sendto, mutations(seeds + kept_seeds(kind), MUTATIONS, 5))
    assert relay.engine.counters["malformed"] > 100
    await goes_on(relay, ann, ben)


async def test_malformed_rtcp_of_somebody_in_the_room(relay, call):
    ann, ben, mallory = call
    packets = mutations(rtcp_seeds(mallory, mallory.slot_ssrc) + kept_seeds("rtcp"), MUTATIONS, 2)

    def send(packet: bytes) -> None:
        if len(packet) >= 8:
            protected = mallory.link.protect_rtcp(packet)
            if protected is not None:
                mallory.send(protected)

    await flood(send, packets)
    assert relay.engine.counters["malformed"] > 100
    await goes_on(relay, ann, ben)
    now = time.monotonic()
    await mallory.sees("ann", 0, since=now)


@pytest.mark.parametrize("kind", ["stun", "dtls", "srtp", "srtcp"])
async def test_malformed_packets_from_the_address_of_somebody_in_the_room(relay, call, kind):
    ann, ben, mallory = call
    seeds = {
        "stun": [*STUN_SEEDS, mallory.check(), mallory.check(password="wrong"), *kept_seeds("stun")],
        "dtls": DTLS_SEEDS,
        "srtp": [mallory.link.protect(mallory.packet(mallory.camera, b"x" * 50)), *kept_seeds("rtp")],
        "srtcp": [mallory.link.protect_rtcp(rtcp.pli(mallory.slot_ssrc)), *kept_seeds("rtcp")],
    }[kind]
    await flood(mallory.send, mutations(seeds, MUTATIONS, 3))
    await goes_on(relay, ann, ben)
    now = time.monotonic()
    await mallory.sees("ann", 0, since=now)  # not even their own connection was closed
    assert not mallory.closed


async def test_a_stranger_without_credentials_is_not_heard(relay, call):
    ann, ben, mallory = call
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.setblocking(False)
    stranger.connect(relay.address)
    forged = mallory.packet(ann.camera, b"\x10\x00forged")
    seeds = [
        *STUN_SEEDS, *DTLS_SEEDS, forged, rtcp.pli(ann.camera.ssrc), mallory.check(password="guess"),
        ann.check(password="guess"), *kept_seeds("stun"),
    ]  # fmt: skip
    addresses = dict(relay.engine.roster.by_address)
    await flood(stranger.send, mutations(seeds, 500, 4))
    with pytest.raises(BlockingIOError):
        stranger.recv(2048)
    stranger.close()
    assert relay.engine.roster.by_address == addresses
    assert relay.engine.counters["stranger"] > 50
    await goes_on(relay, ann, ben)


async def test_a_replayed_check_does_not_move_anybody(relay, call):
    ann, ben, _ = call
    seen = ann.check()
    ann.send(seen)
    await asyncio.sleep(0.05)
    address = ann.transport.get_extra_info("sockname")
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.sendto(seen, relay.address)
    await eventually(lambda: relay.engine.counters["stun_replayed"] == 1)
    other.close()
    assert relay.engine.halls["room"].copies["ann"].address == address
    await goes_on(relay, ann, ben)


async def test_a_replayed_media_packet_does_not_move_anybody(relay, call):
    ann, _, _ = call
    packet = ann.link.protect(ann.packet(ann.microphone, b"again" * 5))
    ann.send(packet)
    await asyncio.sleep(0.05)
    rejected = relay.engine.counters["srtp_rejected"]
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.sendto(packet, relay.address)
    await eventually(lambda: relay.engine.counters["srtp_rejected"] > rejected)
    other.close()
    assert relay.engine.halls["room"].copies["ann"].address == ann.transport.get_extra_info("sockname")


async def test_nobody_takes_the_address_of_somebody_who_speaks(relay, call):
    ann, ben, mallory = call
    peer = relay.engine.halls["room"].copies["mallory"]
    address = ann.transport.get_extra_info("sockname")
    assert not relay.engine.roster.settle(peer, address, nominated=True, now=time.monotonic())
    assert peer.address == mallory.transport.get_extra_info("sockname")
    await goes_on(relay, ann, ben)


async def test_streams_without_end_are_refused(relay, call):
    ann, ben, mallory = call
    for ssrc in range(5000, 5200):
        header = rtp.HEADER.pack(0x90, VIDEO_PT, 1, 1, ssrc)
        element = bytes([EXTENSIONS[rtp.MID] << 4]) + b"1\0\0"
        mallory.send_rtp(header + struct.pack(">HH", rtp.ONE_BYTE_PROFILE, 1) + element + b"\x10\x00" + b"x" * 20)
    await eventually(lambda: relay.engine.counters["ssrc_limit"] > 100)
    assert len(relay.engine.halls["room"].copies["mallory"].admitted) == 48
    await goes_on(relay, ann, ben)


async def test_who_floods_uses_up_only_their_own_budget(relay, call):
    """Row 23 of the checklist: a flood of SRTP does not stop others."""
    ann, ben, mallory = call
    for round_ in range(20):
        for _ in range(400):
            mallory.publish(mallory.microphone)
        await asyncio.sleep(0.02)
        if round_ % 5 == 0:
            await ann.sees("ben", 0, since=time.monotonic())
    assert relay.engine.counters["over_budget"] > 1000
    now = time.monotonic()
    await ann.sees("ben", 0, since=now)
    await ben.sees("ann", 0, since=now)


async def test_reports_and_requests_cannot_make_the_relay_flood_the_others(relay, call):
    ann, ben, mallory = call
    slots = [ssrc for ssrc, mid in mallory._mid_of.items() if int(mid) >= 8]
    estimates = rtcp.remb(300_000, slots[:2]) * 40
    requests = b"".join(rtcp.nack(mallory.slot_ssrc, range(n, n + 250)) for n in range(0, 12_000, 1000))
    before = ann.rtcp["Remb"] + ann.rtcp["Nack"]
    for _ in range(20):
        for _ in range(40):
            mallory.send_rtcp(estimates)
            mallory.send_rtcp(requests)
        await asyncio.sleep(0.02)
    assert relay.engine.counters["over_budget"] > 100
    # 32,000 estimates and 9,600 requests for 250 lost packets each were sent.
    assert ann.rtcp["Remb"] + ann.rtcp["Nack"] - before < 3000
    assert relay.engine.counters["nack_hit"] + relay.engine.counters["nack_miss"] < 10_000
    now = time.monotonic()
    await ann.sees("ben", 0, since=now, within=1)
    await ben.sees("ann", 0, since=now, within=1)


async def test_a_flood_of_strangers_does_not_keep_a_newcomer_out(relay, call):
    mallory = call[2]
    mallory.relay_ufrag = "nobody"
    junk = [*STUN_SEEDS, *DTLS_SEEDS, mallory.packet(mallory.camera, b"x" * 20), b"\xff" * 50, mallory.check()]
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(3):
        for number in range(1500):
            stranger.sendto(junk[number % len(junk)], relay.address)
        await asyncio.sleep(0.05)
    stranger.close()
    assert relay.engine.counters["stun_unknown"] > 100
    began = time.monotonic()
    await relay.enter(Participant("dan"))
    assert time.monotonic() - began < 2
    assert relay.engine.counters["over_budget"] == 0


async def test_a_budget_is_used_up_but_never_in_debt_so_a_flood_is_over_when_it_ends(relay, call):
    peer = relay.engine.halls["room"].copies["mallory"]
    for payer in (peer, None):
        assert not all([relay.engine.ingress._affords(payer) for _ in range(10_000)])
    assert peer.budget >= 0
    await asyncio.sleep(0.3)
    assert all([relay.engine.ingress._affords(payer) for payer in (peer, None) for _ in range(100)])


async def test_a_mistake_of_ours_is_contained_and_counted(relay, call, monkeypatch):
    ann, ben, mallory = call
    peer = relay.engine.halls["room"].copies["mallory"]

    def break_(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(peer, "find", break_)
    peer.changed()  # so that no packet is moved by a route
    await eventually(lambda: relay.engine.counters["error_datagram_ZeroDivisionError"] > 3)
    now = time.monotonic()
    await ann.sees("ben", 0, since=now)
    await ben.sees("ann", 0, since=now)
    await mallory.sees("ann", 0, since=now)


async def test_long_reports_cost_more_than_short_ones(relay, call):
    peer, mallory = relay.engine.halls["room"].copies["mallory"], call[2]
    mallory.quiet = True
    await asyncio.sleep(0.1)
    spent = []
    for report in (rtcp.pli(1), rtcp.pli(1) * 60):
        data = mallory.link.protect_rtcp(report)
        before = peer.budget
        relay.engine.ingress.datagram(data, peer.address, time.monotonic())
        spent.append(before - peer.budget)
    assert spent[0] == 2  # the datagram, and the one message in it
    assert spent[1] == 1 + 60 + 720 // 128


async def test_who_shakes_hands_with_another_certificate_than_was_signaled_is_never_connected(relay):
    """Row 22 of the checklist: a fingerprint that does not match ends the media."""
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann)
    signaled, own = Participant("ben").offer(), ben.offer()
    fingerprint = re.compile(r"a=fingerprint:.*")
    forged = fingerprint.sub(fingerprint.search(signaled).group(), own)
    assert forged != own
    ben.offer = lambda: forged

    await ben.open(relay.admit(ben))

    await eventually(lambda: "ben" not in relay.engine.halls["room"].copies)
    assert "connected" not in relay.kinds("ben")
    assert not ann.seen(0) + ann.seen(0, "audio")
    await relay.enter(Participant("cam"))
    await ann.sees("cam", 0)


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_nobody_sends_more_than_a_page_would_and_the_other_kind_goes_on(path, kind):
    octets = 50_000
    relay = Relay(Limits(picture_bitrate=8 * octets, sound_bitrate=8 * octets), path)
    ann, ben = Participant("ann"), Participant("ben")
    await relay.enter(ann, ben)
    await ben.sees("ann", 0, "video")
    await ben.sees("ann", 0, "audio")
    relay.stop_clock()
    stream = ann.microphone if kind == "audio" else ann.camera
    before = len(ben.seen(0, kind))
    for _ in range(100):
        descriptor = b"\x10\x01" if kind == "video" else b""
        stream.sequence += 1
        ann.send_rtp(ann.packet(stream, descriptor + b"x" * 1000 + b"ann".ljust(16, b"\0")))
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.2)
    big = [packet for packet in ben.seen(0, kind)[before:] if len(packet.payload) > 1000]
    assert 20 < len(big) <= octets / 1000
    counters = relay.engine.counters
    assert counters["over_bitrate"] + counters["over_budget"] >= 100 - octets / 1000
    other = "video" if kind == "audio" else "audio"
    heard = len(ben.seen(0, other))
    await eventually(lambda: len(ben.seen(0, other)) > heard + 20)
    await relay.close()
