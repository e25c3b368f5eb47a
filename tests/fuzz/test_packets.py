"""Datagrams of every kind, from strangers and from somebody in the room with all the right keys."""

import asyncio
import contextlib
import random
import socket

import pytest

from tests.fuzz import packets
from tests.fuzz.conftest import HostileCall, assert_refused, send_as_stranger, vanish
from tests.fuzz.mutate import Mutator, kept
from tests.headless import Participant
from tests.relay.test_hostile import DTLS_SEEDS, STUN_SEEDS
from visits.relay import rtcp, rtp, vp8

RTP_HEAD = b"\x90\x60\x00\x01" + b"\0\0\0\1" + b"\0\0\0\2" + b"\xbe\xde\0\1" + b"\x40\x31\0\0"


async def test_stun(hostile_call: HostileCall, mutator: Mutator, stranger: socket.socket) -> None:
    seeds = [*STUN_SEEDS, *kept("stun")]

    def throw() -> None:
        mallory, chance = hostile_call.mallory, mutator.chance
        if chance.random() < 0.7:
            victim = mallory if chance.random() < 0.8 else hostile_call.ann
            password = mallory.relay_password  # of Ann's nobody knows it
            data = packets.stun(mutator, f"{victim.relay_ufrag}:{victim.ufrag}", password)
        else:
            data = mutator.octets([*seeds, mallory.check(), mallory.check(password="wrong")])
        if chance.random() < 0.5:
            mallory.send(data)
        else:
            send_as_stranger(hostile_call, stranger, data)

    await hostile_call.go_on(throw)
    assert_refused(hostile_call, "stun_malformed", "stun_unknown", "stun_forged")


class Garbled(Participant):
    """Whose DTLS has mistakes."""

    mutator: Mutator

    def send(self, data: bytes) -> None:
        chance = self.mutator.chance
        if 20 <= data[0] <= 63 and chance.random() < 0.4:
            data = self.mutator.octets([data])
        super().send(data)
        if chance.random() < 0.3:
            super().send(packets.dtls_record(self.mutator))


async def test_dtls(hostile_call: HostileCall, mutator: Mutator, stranger: socket.socket) -> None:
    garbled = asyncio.create_task(_shake_garbled_hands(hostile_call, mutator))

    def throw() -> None:
        chance = mutator.chance
        data = packets.dtls_record(mutator) if chance.random() < 0.6 else mutator.octets(DTLS_SEEDS)
        if chance.random() < 0.8:
            hostile_call.mallory.send(data)
        else:
            send_as_stranger(hostile_call, stranger, data)

    try:
        await hostile_call.go_on(throw)
    finally:
        garbled.cancel()
        await asyncio.gather(garbled, return_exceptions=True)
    assert_refused(hostile_call, "stranger", "handshake_failed")


async def _shake_garbled_hands(call: HostileCall, mutator: Mutator) -> None:
    """New people come all the time, and their handshakes go wrong in every way."""
    epoch = 0
    while True:
        epoch += 1
        person = Garbled("garbled")
        person.mutator = mutator
        try:
            await person.open(call.relay.engine.join("room", "garbled", epoch, person.offer(), call.relay.address))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(person.connected.wait(), 0.3)
        finally:
            if mutator.chance.random() < 0.5:
                await person.link.close()
            await vanish(person)


async def test_rtp_with_the_right_keys(hostile_call: HostileCall, mutator: Mutator) -> None:
    sent = 0

    def throw() -> None:
        nonlocal sent
        mallory, chance = hostile_call.mallory, mutator.chance
        if chance.random() < 0.3:
            # In between all is well, so that the stream is on the quick way when the next odd one comes.
            mallory.publish(chance.choice((mallory.camera, mallory.microphone)))
            return
        data = packets.media(mutator, mallory)
        if chance.random() < 0.1:
            data = mutator.octets([data, *kept("rtp")])
        protected = mallory.link.protect(data) if len(data) >= 12 else None
        if protected is not None:  # libsrtp itself refuses some
            sent += 1
            mallory.send(protected)

    await hostile_call.go_on(throw)
    assert sent > hostile_call.thrown / 4
    assert_refused(hostile_call, "rtp_payload_type")


def test_rtp_that_libsrtp_would_not_let_through(mutator: Mutator) -> None:
    """What reads a packet that came out of SRTP takes any bytes, and raises ValueError at most."""
    seeds = [RTP_HEAD + b"\x90\x80\x80\x01\x00" + b"x" * 40, RTP_HEAD, *kept("rtp")]
    for _ in range(20_000):
        data = mutator.octets(seeds)
        if mutator.chance.random() < 0.5:
            data = RTP_HEAD[:12] + packets.extension(mutator, "1") + packets.descriptor(mutator)
        with contextlib.suppress(ValueError):
            start = rtp.payload_start(data)
            list(rtp.extensions(data))
            rtp.extension_value(data, 4)
            vp8.is_keyframe(data, start)
            ids = {number: mutator.chance.randrange(15) for number in range(15)}
            changed = bytearray(data)
            rtp.rewrite_extensions(changed, ids)
            assert len(changed) == len(data)
            assert changed[:12] == data[:12]
            assert changed[start:] == data[start:]
            rtp.unwrap_rtx(data, start, 1, 96)


@pytest.mark.parametrize("kind", ["rtp", "rtcp"])
async def test_srtp_without_the_keys(
    hostile_call: HostileCall, mutator: Mutator, stranger: socket.socket, kind: str
) -> None:
    def seeds() -> list[bytes]:
        mallory = hostile_call.mallory
        if kind == "rtcp":
            return [mallory.link.protect_rtcp(rtcp.pli(mallory.camera.ssrc)), *kept("rtcp")]
        mallory.camera.sequence = mallory.camera.sequence + 1 & 0xFFFF
        return [
            mallory.link.protect(mallory.packet(mallory.camera, b"\x10\x01" + b"x" * 50)),
            hostile_call.ann.packet(hostile_call.ann.camera, b"forged"),
            *kept("rtp"),
        ]

    def throw() -> None:
        data = mutator.octets(seeds())
        if mutator.chance.random() < 0.6:
            hostile_call.mallory.send(data)
        else:
            send_as_stranger(hostile_call, stranger, data)

    await hostile_call.go_on(throw)
    assert_refused(hostile_call, "srtp_rejected" if kind == "rtp" else "srtcp_rejected", "stranger")


async def test_rtcp_with_the_right_keys(hostile_call: HostileCall, mutator: Mutator) -> None:
    def throw() -> None:
        mallory = hostile_call.mallory
        known = [*mallory._mid_of, mallory.camera.ssrc, mallory.microphone.ssrc, hostile_call.ann.camera.ssrc]
        data = packets.control(mutator, known)
        if mutator.chance.random() < 0.2:
            data = mutator.octets([data, *kept("rtcp")])
        protected = mallory.link.protect_rtcp(data[:2000]) if len(data) >= 8 else None
        if protected is not None:
            mallory.send(protected)

    await hostile_call.go_on(throw)
    assert_refused(hostile_call, "malformed")


def test_rtcp_is_read_or_refused(mutator: Mutator) -> None:
    for _ in range(20_000):
        data = packets.control(mutator, [1, 2])
        with contextlib.suppress(ValueError):
            assert len(rtcp.parse(data)) <= rtcp.MAX_MESSAGES * (rtcp.MAX_BLOCKS + 1)


async def test_anything(hostile_call: HostileCall, mutator: Mutator, stranger: socket.socket) -> None:
    """Datagrams of any first byte and length."""
    chance: random.Random = mutator.chance

    def throw() -> None:
        data = bytes([chance.randrange(256)]) + chance.randbytes(
            chance.choice((0, 1, 11, 19, 100, 1400, 2047, 2048, 9000))
        )
        if chance.random() < 0.5:
            hostile_call.mallory.send(data)
        else:
            send_as_stranger(hostile_call, stranger, data)

    await hostile_call.go_on(throw)
    assert_refused(hostile_call, "size", "unknown_protocol", "stranger")
