import asyncio
import time

import pytest

from visits.live.readings import Readings


class Source:
    """Counts how often it is read, and how many readings go on at once."""

    def __init__(self) -> None:
        self.reads = self.open = 0

    async def read(self, key: str) -> tuple[str, int]:
        self.reads += 1
        self.open += 1
        assert self.open == 1, "never two readings at once"
        await asyncio.sleep(0.02)
        self.open -= 1
        return key, self.reads


async def test_who_asks_together_shares_a_reading():
    source = Source()
    readings = Readings(source.read)
    since = time.monotonic()

    assert await asyncio.gather(*(readings.get("a", since=since) for _ in range(50))) == [("a", 1)] * 50


async def test_a_reading_that_began_before_is_never_enough():
    source = Source()
    readings = Readings(source.read)
    early = asyncio.ensure_future(readings.get("a", since=time.monotonic()))
    await asyncio.sleep(0.01)
    since = time.monotonic()
    late = await asyncio.gather(*(readings.get("a", since=since) for _ in range(50)))

    assert await early == ("a", 1)
    assert late == [("a", 2)] * 50


async def test_an_old_reading_serves_who_is_content_with_it():
    source = Source()
    readings = Readings(source.read)
    since = time.monotonic()
    await readings.get("a", since=since)

    assert await readings.get("a", since=since) == ("a", 1)
    assert await readings.get("a", since=time.monotonic()) == ("a", 2)


async def test_a_failure_reaches_everybody_and_is_not_kept():
    fail = True

    async def read(key: str) -> str:
        await asyncio.sleep(0)
        if fail:
            raise ConnectionError
        return key

    readings = Readings(read)
    since = time.monotonic()
    results = await asyncio.gather(*(readings.get("a", since=since) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError] * 3
    fail = False
    assert await readings.get("a", since=time.monotonic()) == "a"


async def test_who_goes_takes_nobody_along():
    source = Source()
    readings = Readings(source.read)
    since = time.monotonic()
    gone, stays = (asyncio.ensure_future(readings.get("a", since=since)) for _ in range(2))
    await asyncio.sleep(0.01)
    gone.cancel()

    assert await stays == ("a", 1)
    with pytest.raises(asyncio.CancelledError):
        await gone
