"""A room that its node does not take goes to another one; when all are full, the page is told so."""

import uuid
from collections.abc import Callable

import pytest
from channels.db import database_sync_to_async
from django.test import Client

from accounts.models import AccessLink
from tests.headless import eventually
from tests.room.sockets import Page
from visits.relay.client import Joined, RelayClient, SlotMids
from visits.room import joining, nodes
from visits.room.models import Encounter, RelayNode

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(redeemed: Callable[[AccessLink], Client], patient_link: AccessLink, encounter: Encounter) -> Page:
    return Page(redeemed(patient_link), f"/ws/my/{encounter.appointment_id}/room/", name="patient")


async def ids(client: RelayClient) -> list[str]:
    return sorted(node for node, pulse in (await client.pulses()).items() if not pulse.is_dead)


async def test_when_every_relay_is_full_the_page_is_told_to_try_again(
    start: Callable[[str], object], client: RelayClient, page: Page
) -> None:
    start("cpu=0.00001")
    start("bits_per_second=1,cpu=0.00001")
    async with page:
        for _ in range(2):
            number = await page.ask()
            error = await page.until("error")
            assert (error["code"], error["re"]) == ("relay-full", number)
        start("")
        # As long as the pulses of the last second are good.
        await database_sync_to_async(RelayNode.objects.update)(seen_at="2020-01-01T00:00Z")
        await page.join()


async def test_a_node_that_has_just_become_full_hands_the_room_on(
    start: Callable[[str], object],
    client: RelayClient,
    page: Page,
    encounter: Encounter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start("cpu=0.00001")
    [full] = await ids(client)
    start("")
    [empty] = set(await ids(client)) - {full}
    await database_sync_to_async(nodes.note)(await client.pulses())
    # The database does not know yet, and would choose it.
    await database_sync_to_async(RelayNode.objects.filter(pk=full).update)(full="", load=-1.0)
    monkeypatch.setattr(nodes, "note", lambda *_, **__: None)

    async with page:
        await page.join()

    assert await database_sync_to_async(nodes.node_of)(encounter.pk) == empty


async def test_who_comes_while_one_joins_is_in_the_first_state(
    start: Callable[..., object],
    client: RelayClient,
    page: Page,
    staff_page: Callable[[], Page],
    encounter: Encounter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start()
    still = joining._is_still
    async with staff_page() as clinician, page:
        await clinician.join(connect=False)

        async def the_other_connects(encounter_id: uuid.UUID, node: str) -> bool:
            joined = next(message for message in clinician.heard if message["type"] == "joined")
            slots = [SlotMids(**slot) for slot in joined["slots"]]
            await clinician.person.connect(Joined(joined["sdp"], slots, joined["screen_mid"], {}, None))
            await eventually(lambda: any(message["type"] == "slots" for message in page.heard))
            return await still(encounter_id, node)

        monkeypatch.setattr(joining, "_is_still", the_other_connects)
        await page.ask()
        await page.until("joined")

        assert list((await page.until("state"))["slots"]) == ["0"]


async def test_who_joined_where_the_room_is_no_more_joins_again(
    start: Callable[[str], object],
    client: RelayClient,
    page: Page,
    encounter: Encounter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The room moved between the question and the answer: nobody is left behind at the old node."""
    start("")
    [first] = await ids(client)
    start("")
    await database_sync_to_async(nodes.note)(await client.pulses())
    await database_sync_to_async(RelayNode.objects.filter(pk=first).update)(load=-1.0)
    still = joining._is_still
    moved: list[str] = []

    async def moves_once(encounter_id: object, node: str) -> bool:
        if not moved:
            moved.append(node)
            await database_sync_to_async(nodes.place)(encounter, unless=node)
        return await still(encounter.pk, node)

    monkeypatch.setattr(joining, "_is_still", moves_once)
    async with page:
        await page.join()
        now = await database_sync_to_async(nodes.node_of)(encounter.pk)

        assert moved == [first]
        assert now != first
        assert await client.news(room=str(encounter.pk), node=first) == []
        assert await client.news(room=str(encounter.pk), node=str(now)) != []
