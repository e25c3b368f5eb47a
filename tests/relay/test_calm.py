"""Who has no trouble is looked after less often, and misses nothing by it."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from tests.headless import Participant, eventually
from tests.relay.conftest import QUICK, Relay
from visits.relay import rtcp
from visits.relay.arrivals import EVERY
from visits.relay.bandwidth import REPEAT
from visits.relay.engine import TURN
from visits.relay.peer import Peer
from visits.relay.rtcp import TICKS, ReportBlock
from visits.relay.upkeep import CALM

SLACK = 0.3  # seconds that a busy machine may take


class Call:
    """Ann and Ben, of whom the relay thinks that all is well with them."""

    def __init__(self, relay: Relay, sizes: str = "") -> None:
        self.relay = relay
        self.ann, self.ben = (Participant(name, layers={rid: 20 for rid in sizes}) for name in ("ann", "ben"))
        for person in (self.ann, self.ben):
            for rid in sizes[1:]:  # as a page in a visit of two
                person.layers[rid].stopped = True
            person.largest = person.layers[sizes[0]] if sizes else person.camera

    async def begin(self) -> None:
        await self.relay.enter(self.ann, self.ben)
        await self.ann.sees("ben", 0)
        await self.ben.sees("ann", 0)
        await eventually(lambda: all(self.is_calm(name) for name in ("ann", "ben")), within=8)

    def peer(self, name: str) -> Peer:
        return self.relay.engine.halls["room"].copies[name]

    async def has_just_become_calm(self, name: str) -> None:
        """Wait until nothing would be done for so long that a test can tell."""
        await eventually(lambda: self.peer(name).calm_until > time.monotonic() + CALM - TURN, within=8)

    def is_calm(self, name: str) -> bool:
        return self.peer(name).calm_until > time.monotonic() + TURN


@pytest.fixture(params=["", "fhq"], ids=["one size", "three offered, one sent"])
async def call(relay: Relay, request: pytest.FixtureRequest) -> AsyncIterator[Call]:
    made = Call(relay, request.param)
    await made.begin()
    return made


async def test_a_calm_publisher_hears_of_its_packets_as_often_as_ever(call):
    call.ann.told_at.clear()
    await asyncio.sleep(3)
    pauses = [after - before for before, after in pairwise(call.ann.told_at)]
    assert max(pauses) < (EVERY >> 16) / TICKS + SLACK
    assert len(pauses) > 3 / 0.4


async def test_a_calm_publisher_is_told_of_lost_sound_within_a_second(call):
    slot = next(s for s in call.peer("ben").every_slot() if s.kind == "audio" and s.source is not None)
    ssrc = call.ann.microphone.ssrc
    assert not any(block.loss >> 24 for block in call.ann.reports if block.ssrc == ssrc)
    await call.has_just_become_calm("ann")
    begun = time.monotonic()
    call.ben.send_rtcp(rtcp.receiver_report([ReportBlock(slot.ssrc, 50 << 24, slot.last_sequence, 0, 0, 0)]))
    await eventually(lambda: any(block.ssrc == ssrc and block.loss >> 24 == 50 for block in call.ann.reports))
    assert time.monotonic() - begun < REPEAT + TURN + SLACK


async def test_a_calm_publisher_is_told_of_its_own_losses_within_a_second(call):
    await call.has_just_become_calm("ann")
    begun = time.monotonic()
    call.ann.publish(call.ann.largest, skip=5)
    await eventually(lambda: any(b.ssrc == call.ann.largest.ssrc and b.loss >> 24 for b in call.ann.reports))
    assert time.monotonic() - begun < REPEAT + TURN + SLACK


async def test_a_keyframe_that_a_calm_publisher_does_not_send_is_asked_for_again(call):
    slot = next(s for s in call.peer("ben").every_slot() if s.kind == "video" and s.source is not None)
    asked = call.ann.rtcp["KeyframeRequest"]
    answer = call.ann._take_rtcp

    def deaf(packet: bytes | None) -> None:
        answer(packet)
        call.ann.largest.keyframe_due = False

    call.ann._take_rtcp = deaf
    call.ben.send_rtcp(rtcp.pli(slot.ssrc))
    await eventually(lambda: call.ann.rtcp["KeyframeRequest"] >= asked + 4, within=4 * (0.3 + TURN) + SLACK)


async def test_the_budget_of_who_is_calm_is_filled_all_the_time(call):
    peer, limit = call.peer("ann"), 1500
    lowest = limit
    until = time.monotonic() + 3
    while time.monotonic() < until:
        lowest = min(lowest, peer.budget)
        await asyncio.sleep(0.01)
    assert lowest > limit - 100 * (TURN + SLACK) - 50  # a hundred packets a second, and reports


async def test_who_falls_silent_while_calm_is_away_in_time(quick_relay):
    call = Call(quick_relay)
    await call.relay.enter(call.ann, call.ben)
    await call.ann.sees("ben", 0)
    await eventually(lambda: call.peer("ben").calm_until > time.monotonic(), within=8)
    call.ben.quiet = True
    begun = time.monotonic()
    await eventually(lambda: "away" in quick_relay.kinds("ben"))
    assert time.monotonic() - begun < QUICK.away_after + TURN + SLACK


async def test_a_third_person_ends_the_calm_of_who_offers_sizes(relay):
    call = Call(relay, "fhq")
    await call.begin()
    await relay.enter(Participant("cam"))
    await eventually(lambda: not call.is_calm("ann"))
    await asyncio.sleep(3)
    assert not call.is_calm("ann")
