"""Open sockets and the session behind them: they close when it ends, wherever and however that happens."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from accounts.models import AccessLink, Session, User
from accounts.sessions import services, watch
from accounts.sessions.watch import Ended
from tests.accounts.test_sessions import ENDS, by_signing_out, session_of
from tests.conftest import verify
from tests.live.sockets import Socket
from tests.party import browser, make_link
from visits.booking.models import Appointment
from visits.live import consumer
from visits.live.consumer import NOT_ALLOWED

pytestmark = pytest.mark.django_db(transaction=True)

BOARD, OWN = "/ws/board/", "/ws/session/"
WITHIN = 5.0  # seconds


@pytest.fixture
def here(clinician: User) -> Client:
    return verify(Client(), clinician)


@pytest.fixture
def elsewhere(clinician: User) -> Client:
    return verify(Client(), clinician)


@pytest.fixture
def patient_client(visit: Appointment) -> Client:
    return browser(make_link(visit))


async def reason_of(socket: Socket) -> str:
    """Why it closes; its code must be the one for who is not allowed."""
    while True:
        output = await socket.communicator.receive_output(timeout=WITHIN)
        if output["type"] == "websocket.close":
            socket.code = output["code"]
            assert socket.code == NOT_ALLOWED
            return str(output["reason"])


@pytest.mark.parametrize("end", ENDS)
async def test_sockets_close_within_seconds_and_do_not_open_again(
    end: Any, here: Client, elsewhere: Client, clinician: User
) -> None:
    """Row 14 of the checklist: what ends a sign-in closes its open sockets within five seconds, and opens no other."""
    async with Socket(elsewhere, BOARD) as board, Socket(elsewhere, OWN) as own:
        await board.until("state")
        await own.until("state")
        key = elsewhere.cookies["session"].value

        await sync_to_async(end)(elsewhere, here, clinician)

        ended = time.monotonic()
        assert [await reason_of(board), await reason_of(own)] == ["signed-out", "signed-out"]
        assert time.monotonic() - ended < WITHIN

    elsewhere.cookies["session"] = key
    async with Socket(elsewhere, BOARD) as again:
        assert await again.until_closed() == NOT_ALLOWED


async def test_only_the_ended_session_closes(here: Client, elsewhere: Client, clinician: User) -> None:
    async with Socket(here, OWN) as kept, Socket(elsewhere, OWN) as gone:
        await kept.until("state")
        await gone.until("state")

        await sync_to_async(by_signing_out)(elsewhere, here, clinician)

        assert await reason_of(gone) == Ended.SIGNED_OUT
        await kept.send("ping")
        await kept.until("pong")


async def test_a_socket_closes_when_time_is_up(here: Client) -> None:
    """Row 3 of the checklist: automatic logoff ends the socket, too, and says that it was time."""
    async with Socket(here, BOARD) as board:
        await board.until("state")

        await Session.objects.aupdate(expires_at=timezone.now())

        assert await reason_of(board) == Ended.TIMED_OUT


@pytest.mark.parametrize("way", Ended)
async def test_who_sees_first_that_a_session_has_ended_says_how(
    way: Ended, here: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at the right comes before the watch's."""
    monkeypatch.setattr(watch, "LOOK_EVERY", 60)
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(consumer, "CHECK_RIGHT_SECONDS", 0.05)
    async with Socket(here, BOARD) as board:
        await board.until("state")
        if way == Ended.TIMED_OUT:
            await Session.objects.aupdate(expires_at=timezone.now())
        else:
            await Session.objects.all().adelete()

        assert await reason_of(board) == way


async def test_an_open_board_is_no_activity(here: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(consumer, "CHECK_RIGHT_SECONDS", 0.05)
    long_ago = timezone.now() - timedelta(minutes=10)
    await Session.objects.aupdate(seen_at=long_ago)
    async with Socket(here, BOARD) as board:
        await board.until("state")
        await asyncio.sleep(0.5)

    assert (await Session.objects.aget()).seen_at == long_ago


async def test_who_waits_for_a_visit_is_there(patient_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.05)
    long_ago = timezone.now() - timedelta(minutes=50)
    await Session.objects.aupdate(seen_at=long_ago)
    link = await AccessLink.objects.aget()
    async with Socket(patient_client, f"/ws/my/{link.resource_id}/waiting/") as socket:
        await socket.until("state")
        async with asyncio.timeout(5):
            while (await Session.objects.aget()).seen_at == long_ago:
                await asyncio.sleep(0.05)


async def test_pages_hear_how_long_the_session_lasts(here: Client) -> None:
    await Session.objects.aupdate(expires_at=timezone.now() + timedelta(minutes=2))
    async with Socket(here, OWN) as socket:
        first = await socket.until("state")
        row = await sync_to_async(session_of)(here)
        await sync_to_async(services.note_activity)(row, at_once=True)
        longer = await socket.until("state")

    assert 110 <= first["left"] <= 120
    assert 890 <= longer["left"] <= 900
    assert (first["final"], longer["final"]) == (False, False)


async def test_a_page_hears_that_nothing_extends_it(here: Client, clinician: User) -> None:
    began = timezone.now() - timedelta(hours=11, minutes=55)
    await Session.objects.aupdate(began_at=began, expires_at=began + timedelta(hours=12))
    async with Socket(here, OWN) as socket:
        state = await socket.until("state")

    assert state["final"]
    assert 290 <= state["left"] <= 300


async def test_a_new_key_for_the_same_session_closes_nothing(here: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(consumer, "CHECK_RIGHT_SECONDS", 0.05)
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.05)
    async with Socket(here, BOARD) as board:
        await board.until("state")
        await sync_to_async(here.session.cycle_key)()
        await asyncio.sleep(0.5)
        await board.send("ping")
        await board.until("pong")


@pytest.mark.parametrize("who", ["anonymous", "password only", "patient"])
async def test_the_sessions_socket_is_for_verified_staff(
    who: str, clinician: User, password_only: Any, patient_client: Client
) -> None:
    make = {"anonymous": Client, "password only": lambda: password_only(clinician), "patient": lambda: patient_client}
    async with Socket(await sync_to_async(make[who])(), OWN) as socket:
        assert await socket.until_closed() == NOT_ALLOWED


async def test_one_query_looks_at_all_sessions_of_a_process(
    here: Client, elsewhere: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.2)
    asked: list[int] = []
    read = watch.read_ends

    async def count(session_ids: list[Any]) -> Any:
        asked.append(len(session_ids))
        return await read(session_ids)

    monkeypatch.setattr(watch, "read_ends", count)
    async with Socket(here, OWN) as one, Socket(here, BOARD) as two, Socket(elsewhere, BOARD) as three:
        for socket in (one, two, three):
            await socket.until("state")
        asked.clear()
        await asyncio.sleep(1)
        looks = list(asked)  # before the sockets close, one by one

    assert 3 <= len(looks) <= 5
    assert set(looks) == {2}
