"""A call in which somebody sends whatever they like, and what must hold meanwhile.

TELEHEALTH_FUZZ_SECONDS is the time of one target (a target that goes both paths has half for each);
TELEHEALTH_FUZZ_SEED repeats a run. A failure names its seed.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.fuzz.mutate import Mutator
from tests.headless import Participant
from tests.relay.conftest import Relay, client, nodes, people, redis_url  # noqa: F401 - fixtures
from tests.room.conftest import (  # noqa: F401 - fixtures
    admitted,
    as_clinician,
    encounter,
    guest_page,
    patient_link,
    patient_page,
    redeemed,
    staff_page,
)
from tests.room.conftest import relay as relay_process  # noqa: F401 - a fixture
from visits.relay.config import PATHS, Limits

SECONDS = float(os.environ.get("TELEHEALTH_FUZZ_SECONDS", "4"))
SEED = int(os.environ.get("TELEHEALTH_FUZZ_SEED", "0")) or secrets.randbits(32)
ROUND = 32  # inputs before the relay gets its turn
CATCH_UP = 0.1  # seconds that it has for that
LOOK_EVERY = 1.0
RENEW_EVERY = 2.0
MOST_GROWTH = 96 * 1024 * 1024  # bytes; the participants keep some of what they see, too
# Nothing is refused for being too much: the flood tests are about that.
WIDE = Limits(
    packets_per_second=10**9, picture_bitrate=10**12, sound_bitrate=10**12,
    strangers_per_second=10**9, connect_within=1.0, away_after=30, gone_after=60,
    cpu=1e9, late=1e9,
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/fuzz" in str(item.path):
            item.add_marker(pytest.mark.fuzz)


def pytest_report_header() -> str:
    return f"fuzz: TELEHEALTH_FUZZ_SEED={SEED}"


@pytest.fixture
def mutator() -> Mutator:
    return Mutator(SEED)


@pytest.fixture(params=PATHS)
async def hostile_call(request: pytest.FixtureRequest) -> AsyncIterator["HostileCall"]:
    """Ann and Ben talk; Mallory is in their room."""
    call = HostileCall(Relay(WIDE, request.param))
    await call.begin()
    yield call
    await call.end()


@pytest.fixture(params=PATHS)
async def flooded_call(request: pytest.FixtureRequest) -> AsyncIterator["HostileCall"]:
    """The same with limits, lower than a node's: a test cannot send as much as a real flooder."""
    call = HostileCall(Relay(Limits(packets_per_second=400, strangers_per_second=400), request.param))
    await call.begin()
    yield call
    await call.end()


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        yield sock


class Mallory(Participant):
    """Sends what libsrtp lets out, and goes on where it refuses."""

    def send_rtp(self, packet: bytes) -> None:
        protected = self.link.protect(packet)
        if protected is not None:
            self.send(protected)


class HostileCall:
    """The call, and what must hold in it."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.ann, self.ben = Participant("ann"), Participant("ben")
        self.mallory = Mallory("mallory")
        self.thrown = 0
        self._epoch = 1
        self._broken: list[str] = []

    async def begin(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: self._broken.append(_told(context)))
        await self.relay.enter(self.ann, self.ben)
        await self.ann.sees("ben", 0)
        await self.ben.sees("ann", 0)
        await self.relay.enter(self.mallory)

    async def end(self) -> None:
        await self.relay.close()

    async def renew(self) -> None:
        """Mallory comes back as a new copy with new keys."""
        old, self.mallory = self.mallory, Mallory("mallory")
        self.relay.people.remove(old)
        self._epoch += 1
        await vanish(old)
        await self.relay.enter(self.mallory, epoch=self._epoch)

    async def go_on(self, throw: Callable[[], None]) -> None:
        """Call `throw` as often as there is time for; AssertionError as soon as something does not hold."""
        seconds = SECONDS / len(PATHS)
        began = look_at = renew_at = time.monotonic()
        base: int | None = None
        while (now := time.monotonic()) - began < seconds:
            received = self.relay.engine.counters["received"]
            for _ in range(ROUND):
                throw()
            self.thrown += ROUND
            await self._caught_up(received + ROUND)
            if now - renew_at > RENEW_EVERY:
                renew_at = now
                await self.renew()
            if now - look_at > LOOK_EVERY:
                look_at = now
                await self.holds()
                if base is None and now - began > seconds / 4:
                    base = _resident()
        await self.holds()
        if base is not None:
            assert _resident() - base < MOST_GROWTH, f"memory grows (seed {SEED})"

    async def _caught_up(self, received: int) -> None:
        deadline = time.monotonic() + CATCH_UP
        await asyncio.sleep(0)
        while self.relay.engine.counters["received"] < received and time.monotonic() < deadline:
            await asyncio.sleep(0.001)

    async def holds(self) -> None:
        """Nothing of ours broke; Ann and Ben hear and see each other, and nobody else in each other's places."""
        broken = [name for name in self.relay.engine.counters if name.startswith("error_")]
        assert (broken, self._broken) == ([], []), f"after {self.thrown} inputs of seed {SEED}"
        now = time.monotonic()
        for one, other in ((self.ann, self.ben), (self.ben, self.ann)):
            for kind in ("audio", "video"):
                await one.sees(other.name, 0, kind, since=now)
                assert {packet.sender for packet in one.seen(0, kind)} == {other.name}, f"seed {SEED}"
            assert not one.closed
        for person in (self.ann, self.ben, self.mallory):
            person.by_mid.clear()
            for kept in (person.rembs, person.nacked, person.sender_reports, person.reports):
                kept.clear()
        self.relay.events.clear()


def send_as_stranger(call: HostileCall, stranger: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # a full buffer, an answer to an earlier one, a datagram that is too long
        stranger.sendto(data, call.relay.address)


def assert_refused(call: HostileCall, *causes: str) -> None:
    """Each of the causes was counted."""
    counters = call.relay.engine.counters
    assert [cause for cause in causes if not counters[cause]] == []


async def vanish(person: Participant) -> None:
    """The person's battery dies; nothing of them is left in this process."""
    await person.close(goodbye=False)
    pump = person.link._dtls._task if person.link is not None else None
    if pump is not None:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


def _told(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r} {context.get('task', '')!r}"


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
