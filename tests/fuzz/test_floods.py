"""Too much of everything: the node lives, the others' media go on, and who floods is held up by name.

What a flood does to the others' latency is measured by ``python -m tests.bench.relay.flood``.
"""

import asyncio
import socket
import time
from collections.abc import Callable

from tests.fuzz.conftest import HostileCall, assert_refused, send_as_stranger
from tests.fuzz.mutate import Mutator
from tests.headless import Participant, eventually
from tests.relay.test_hostile import DTLS_SEEDS
from visits.relay import rtcp

FLOOD_FOR = 1.5  # seconds
AT_ONCE = 150  # datagrams; many times what a budget allows


async def flood(call: HostileCall, throw: Callable[[], None]) -> None:
    """Call `throw` without mercy; in the middle of it and after it the others hear and see each other."""
    for _ in range(2):
        deadline = time.monotonic() + FLOOD_FOR / 2
        while time.monotonic() < deadline:
            for _ in range(AT_ONCE):
                throw()
            await asyncio.sleep(0.002)
        await call.holds()


async def test_a_stranger_with_junk(flooded_call: HostileCall, stranger: socket.socket, mutator: Mutator) -> None:
    chance = mutator.chance
    junk = [
        bytes([chance.choice((0, 22, 0x80, 0x90, 0xFF))]) + chance.randbytes(chance.randrange(1200)) for _ in range(50)
    ]
    await flood(flooded_call, lambda: send_as_stranger(flooded_call, stranger, chance.choice(junk)))
    assert_refused(flooded_call, "stranger")


async def test_a_stranger_who_knows_names_but_no_password(flooded_call: HostileCall, stranger: socket.socket) -> None:
    check = flooded_call.ann.check(password="guess")
    await flood(flooded_call, lambda: send_as_stranger(flooded_call, stranger, check))
    assert_refused(flooded_call, "stun_forged", "over_budget")


async def test_a_stranger_who_forges_somebodys_media(flooded_call: HostileCall, stranger: socket.socket) -> None:
    ann = flooded_call.ann
    forged = ann.packet(ann.camera, b"\x10\x00" + b"x" * 1000)
    await flood(flooded_call, lambda: send_as_stranger(flooded_call, stranger, forged))
    assert_refused(flooded_call, "srtp_rejected", "over_budget")
    assert flooded_call.relay.engine.halls["room"].copies["ann"].address == ann.transport.get_extra_info("sockname")


async def test_media_without_end(flooded_call: HostileCall) -> None:
    mallory = flooded_call.mallory
    await flood(flooded_call, lambda: mallory.publish(mallory.camera) and None)
    assert_refused(flooded_call, "over_budget")


async def test_handshakes_of_somebody_who_is_in_already(flooded_call: HostileCall, mutator: Mutator) -> None:
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\x00\xc8\x01" + mutator.chance.randbytes(199)
    await flood(flooded_call, lambda: flooded_call.mallory.send(mutator.chance.choice([hello, *DTLS_SEEDS])))
    assert_refused(flooded_call, "over_budget")


async def test_checks_of_somebody_who_is_in_already(flooded_call: HostileCall) -> None:
    check = flooded_call.mallory.check()
    await flood(flooded_call, lambda: flooded_call.mallory.send(check))
    assert_refused(flooded_call, "over_budget")


async def test_a_storm_of_nacks(flooded_call: HostileCall) -> None:
    mallory = flooded_call.mallory
    await eventually(lambda: len(mallory.seen(0)) > 30)
    slot = next(ssrc for ssrc, mid in mallory._mid_of.items() if mid == mallory.slot_mid(0, "video"))
    last = mallory.seen(0)[-1].sequence
    lost = [last - back & 0xFFFF for back in range(500, 0, -1)]
    storm = b"".join(rtcp.nack(slot, lost[part : part + 50]) for part in range(0, 500, 50))
    forwarded, began = flooded_call.relay.engine.counters["nack_hit"], time.monotonic()
    await flood(flooded_call, lambda: mallory.send_rtcp(storm))
    assert_refused(flooded_call, "over_budget")
    limit = flooded_call.relay.engine._limits.packets_per_second
    resent = flooded_call.relay.engine.counters["nack_hit"] - forwarded
    assert resent <= limit * (1 + time.monotonic() - began)


async def test_a_storm_of_keyframe_requests(flooded_call: HostileCall) -> None:
    mallory, ann = flooded_call.mallory, flooded_call.ann
    storm = b"".join(rtcp.pli(slot) for slot in list(mallory._mid_of)[:20])
    asked, began = flooded_call.relay.engine.counters["pli_sent"], time.monotonic()
    await flood(flooded_call, lambda: mallory.send_rtcp(storm))
    assert_refused(flooded_call, "over_budget")
    # Each publisher is asked for a few a second, however many ask.
    tracks = 4 * len(flooded_call.relay.engine.halls["room"].copies)
    assert flooded_call.relay.engine.counters["pli_sent"] - asked <= tracks * (2 + 4 * (time.monotonic() - began))
    assert not ann.closed


async def test_joins_without_end(flooded_call: HostileCall) -> None:
    """Each joining is granted by the web side, which holds a socket to twenty messages a second; here are more."""
    relay, offer = flooded_call.relay, Participant("mallory").offer()
    epoch = 1
    for _ in range(20):
        for _ in range(20):
            epoch += 1
            relay.engine.join("room", "mallory", epoch, offer, relay.address)
        await asyncio.sleep(0.01)
    await flooded_call.holds()
    assert len(relay.engine.roster) == 3
    await eventually(lambda: not relay.engine._goodbyes)
