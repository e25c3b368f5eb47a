"""A socket that is lost while the media flow: the copy is kept, and another socket takes it up."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from accounts.models import AccessLink
from accounts.principal import Principal
from tests.headless import eventually
from tests.party import make_link
from tests.room.sockets import Page, is_gone, is_here
from visits.relay.client import RelayClient, RelayUnavailable
from visits.room import farewell, presence, services
from visits.room.consumers import RoomConsumer
from visits.room.models import Encounter, Presence, Seat

pytestmark = pytest.mark.django_db(transaction=True)

Pages = Callable[[], Page]
GOING_AWAY, ABNORMAL = 1001, 1006


async def lose(page: Page, code: int = ABNORMAL) -> None:
    """The socket ends, and its page's media do not notice."""
    page.code = code
    await page.socket.send_input({"type": "websocket.disconnect", "code": code})
    await page.socket.wait(timeout=10)


async def still_sees(page: Page, name: str) -> None:
    await page.person.sees(name, 0, since=time.monotonic())


async def take_up(page: Page, epoch: int) -> dict[str, Any]:
    await page.send("resume", epoch=epoch)
    return await page.until("resumed")


async def test_the_media_flow_on_and_the_next_socket_has_the_whole_state(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two, patient_page() as again:
        await one.join()
        joined = await two.join()
        await one.person.sees("patient", 0)
        await one.until("state", is_here("patient"))
        await lose(two)

        resumed = await take_up(again, joined["epoch"])
        state = await again.until("state", is_here("clinician"))

        assert (resumed["re"], resumed["epoch"]) == (1, joined["epoch"])
        clinician = next(person["seat"] for person in state["people"] if person["role"] == "clinician")
        assert clinician in state["slots"].values()
        await still_sees(one, "patient")
        await again.send("media", audio=False, video=True)
        await one.until("state", lambda said: any(not person["audio"] for person in said["people"]))
        assert not two.person.closed
    assert await Presence.objects.filter(seat__role="patient").acount() == 1


async def test_what_happened_meanwhile_is_in_the_state(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, guest_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two, guest_page() as three, patient_page() as again:
        await one.join()
        joined = await two.join()
        await one.until("state", is_here("patient"))
        await lose(two)
        await three.join()
        await one.until("state", is_here("guest"))
        await two.person.sees("guest", 1, "audio")

        await take_up(again, joined["epoch"])
        state = await again.until("state", is_here("guest"))

        assert len(state["slots"]) == 2


async def test_who_comes_back_in_time_is_not_let_go(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(farewell, "BACK_WITHIN", 1)
    async with staff_page() as one, patient_page() as two, patient_page() as again:
        await one.join()
        joined = await two.join()
        await one.until("state", is_here("patient"))
        await lose(two)
        await take_up(again, joined["epoch"])
        await asyncio.sleep(1.5)

        await still_sees(one, "patient")
        assert await Presence.objects.filter(seat__role="patient", left_at=None).aexists()


@pytest.mark.parametrize(("code", "limit"), [(ABNORMAL, "BACK_WITHIN"), (GOING_AWAY, "LOADED_WITHIN")])
async def test_who_does_not_come_back_is_let_go(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    limit: str,
) -> None:
    monkeypatch.setattr(farewell, limit, 0.5)
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await one.until("state", is_here("patient"))
        await lose(two, code)

        await one.until("state", is_gone("patient"))
        await eventually(lambda: two.person.closed)
    assert (await Presence.objects.aget(seat__role="patient")).left_why == "lost"


def test_a_lost_socket_has_more_time_than_the_protocol_promises_it() -> None:
    assert farewell.BACK_WITHIN >= 40
    assert timedelta(seconds=farewell.BACK_WITHIN + 15) <= presence.SILENT_AFTER, "also where the web process died"
    assert farewell.LOADED_WITHIN < farewell.BACK_WITHIN


async def test_whose_browser_is_gone_is_missed_by_the_relay_before_that(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await one.until("state", is_here("patient"))
        await two.person.close(goodbye=False)
        await lose(two)

        await one.until("state", lambda state: any(person["away"] for person in state["people"]))
        await one.until("state", is_gone("patient"))


async def test_a_copy_that_the_relay_has_let_go_is_not_taken_up(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as two, patient_page() as again:
        joined = await two.join()
        await two.until("state", is_here("patient"))
        await lose(two)
        await two.person.close(goodbye=False)
        await asyncio.sleep(3)  # the tests' relay misses who is silent for two
        await again.send("resume", epoch=joined["epoch"])

        assert (await again.until("error"))["code"] == "not-joined"
        await again.join()
        await again.until("state", is_here("patient"))
    stays = [one.left_why async for one in Presence.objects.order_by("epoch")]
    assert stays[0] == "lost"


async def test_an_older_copy_is_not_taken_up(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as old, patient_page() as new, patient_page() as late:
        first = await old.join()
        await new.join()
        for epoch in (first["epoch"], first["epoch"] + 7):
            await late.send("resume", epoch=epoch)
            assert (await late.until("error"))["code"] == "not-joined"

        await new.send("media", audio=True, video=False)
        await new.until("state", lambda state: not state["people"][0]["video"])


async def test_two_sockets_never_have_one_copy(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    """The server has not noticed yet that the first is dead."""
    async with staff_page() as one, patient_page() as half_dead, patient_page() as again:
        await one.join()
        joined = await half_dead.join()
        await take_up(again, joined["epoch"])

        assert await half_dead.until_closed() == 4409
        await still_sees(one, "patient")
        assert await Presence.objects.filter(seat__role="patient", left_at=None).aexists()


@contextlib.asynccontextmanager
async def held_up(monkeypatch: pytest.MonkeyPatch, ask: Callable[[], Awaitable[int]]) -> AsyncIterator[None]:
    """What is asked reaches the server, which gets to it only after what happens meanwhile."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: RoomConsumer) -> None:
        arrived.set()
        await go_on.wait()

    with monkeypatch.context() as patch:
        patch.setattr(RoomConsumer, "_count_taking", wait)
        await ask()
        await asyncio.wait_for(arrived.wait(), 10)
    yield
    go_on.set()


async def test_a_join_that_its_page_has_given_up_does_not_evict_the_one_that_followed(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with staff_page() as one, patient_page() as given_up, patient_page() as again:
        await one.join()
        async with held_up(monkeypatch, given_up.ask):
            joined = await again.join()

        assert await given_up.until_closed() == 4409
        await again.until("state", is_here("patient"))
        await still_sees(one, "patient")
    assert joined["epoch"] == 1
    assert [stay.epoch async for stay in Presence.objects.filter(seat__role="patient")] == [1]


async def test_nor_does_a_taking_up_that_was_given_up(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with staff_page() as one, patient_page() as two, patient_page() as given_up, patient_page() as again:
        await one.join()
        joined = await two.join()
        await one.until("state", is_here("patient"))
        await lose(two)
        async with held_up(monkeypatch, lambda: given_up.send("resume", epoch=joined["epoch"])):
            await take_up(again, joined["epoch"])

        assert (await given_up.until("error"))["code"] == "not-joined"
        await again.send("media", audio=False, video=True)
        await again.until("state", lambda said: any(not person["audio"] for person in said["people"]))
        await still_sees(one, "patient")


async def test_a_second_device_evicts_also_who_was_taken_up(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two, patient_page() as again, patient_page() as tablet:
        await one.join()
        joined = await two.join()
        await lose(two)
        await take_up(again, joined["epoch"])
        await tablet.join()

        assert await again.until_closed() == 4409
        await eventually(lambda: two.person.closed)
        state = await one.until("state", is_here("patient"))
        assert len(state["people"]) == 2


async def test_nobody_takes_up_the_copy_of_somebody_else(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    guest_page: Pages,
) -> None:
    async with staff_page() as one, patient_page() as two, guest_page() as three:
        await one.join()
        joined = await two.join()
        await three.send("resume", epoch=joined["epoch"])

        assert (await three.until("error"))["code"] == "not-joined"
        await still_sees(one, "patient")


async def test_another_patient_does_not_even_find_the_visit(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    patient_page: Pages,
    redeemed: Callable[[AccessLink], Client],
    practitioner: Any,
    other_patient: Any,
) -> None:
    from tests import factories

    def link_of_another() -> Client:
        return redeemed(make_link(factories.make_visit(practitioner, patient=other_patient)))

    client = await database_sync_to_async(link_of_another)()
    async with patient_page() as two, Page(client, f"/ws/my/{encounter.appointment_id}/room/") as other:
        await two.join()

        assert await other.until_closed() == 4401


async def test_after_the_end_nothing_is_taken_up(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, as_clinician: Principal
) -> None:
    async with staff_page() as one, patient_page() as two, staff_page() as again:
        joined = await one.join()
        await two.join()
        await one.until("state", is_here("patient"))
        await lose(one)
        await database_sync_to_async(services.end)(principal=as_clinician, visit=encounter.appointment)
        await again.send("resume", epoch=joined["epoch"])

        assert await again.until_closed() == 1000


async def test_without_a_relay_the_media_are_left_alone(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody_answers(*_: Any, **__: Any) -> list[Any]:
        raise RelayUnavailable

    async with patient_page() as two, patient_page() as again:
        joined = await two.join()
        await two.until("state", is_here("patient"))
        await lose(two)
        with monkeypatch.context() as patch:
            patch.setattr(RelayClient, "news", nobody_answers)
            await again.send("resume", epoch=joined["epoch"])
            assert (await again.until("error"))["code"] == "relay-unavailable"
        await again.send("resume", epoch=joined["epoch"])
        await again.until("resumed")

    assert (await Seat.objects.aget(role="patient")).epoch == joined["epoch"]
