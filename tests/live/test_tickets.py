"""A socket opens with a ticket that a page of ours has just fetched, and each ticket opens one."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from redis import ConnectionError as RedisAway
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from accounts.models import Session, User
from telehealth.embedded import stop
from tests.conftest import verify
from tests.live.sockets import ORIGIN, Socket
from tests.live.tickets import ADDRESS, ticket_for
from tests.party import browser, make_link
from tests.web import Web
from visits.booking.models import Appointment
from visits.live import tickets, views
from visits.live.consumer import BROKEN, NO_TICKET, NOT_ALLOWED, TOO_MANY_REFUSALS
from visits.live.tickets import SUBPROTOCOL

pytestmark = pytest.mark.django_db(transaction=True)

BOARD, OWN = "/ws/board/", "/ws/session/"


@pytest.fixture
def staff_client(clinician: User) -> Client:
    return verify(Client(), clinician)


@pytest.fixture
def fetch(staff_client: Client) -> Callable[..., Any]:
    """Fetches a ticket, to the board unless told otherwise."""
    return lambda path=BOARD, client=staff_client: sync_to_async(ticket_for)(client, path)


async def opens(client: Client, *offered: str, path: str = BOARD, origin: str = ORIGIN) -> bool:
    """Whether a socket that offers these opens; its code must be the one for tickets if not."""
    async with Socket(client, path, origin=origin, subprotocols=list(offered)) as socket:
        if not socket.accepted:
            return False
        first = await socket.next()
        assert first["type"] == "welcome" or socket.code == NO_TICKET
        return first["type"] == "welcome"


async def test_a_ticket_opens_its_socket_once(staff_client: Client, fetch: Any) -> None:
    """Row 15 of the checklist: a ticket that was used opens nothing more."""
    ticket = await fetch()
    async with Socket(staff_client, BOARD, subprotocols=[SUBPROTOCOL, ticket]) as socket:
        await socket.until("state")
        assert socket.accepted_protocol == SUBPROTOCOL
        assert not await opens(staff_client, SUBPROTOCOL, ticket)

    assert not await opens(staff_client, SUBPROTOCOL, ticket)
    assert await opens(staff_client, SUBPROTOCOL, await fetch())


async def test_a_ticket_is_good_for_seconds(staff_client: Client, fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tickets.LIFE == 30
    monkeypatch.setattr(tickets, "LIFE", 1)
    ticket = await fetch()
    await asyncio.sleep(1.1)

    assert not await opens(staff_client, SUBPROTOCOL, ticket)


async def test_a_ticket_opens_no_other_socket(staff_client: Client, fetch: Any) -> None:
    ticket = await fetch()

    assert not await opens(staff_client, SUBPROTOCOL, ticket, path=OWN)
    assert await opens(staff_client, SUBPROTOCOL, ticket)


@pytest.mark.parametrize("whose", ["the same person's, elsewhere", "a colleague's", "a patient's"])
async def test_a_ticket_opens_nothing_in_another_session(
    staff_client: Client, fetch: Any, clinician: User, front_desk: User, visit: Appointment, whose: str
) -> None:
    make = {
        "the same person's, elsewhere": lambda: verify(Client(), clinician),
        "a colleague's": lambda: verify(Client(), front_desk),
        "a patient's": lambda: browser(make_link(visit)),
    }[whose]
    other = await sync_to_async(make)()
    theirs = await fetch(client=other)

    assert not await opens(staff_client, SUBPROTOCOL, theirs)
    assert not await opens(other, SUBPROTOCOL, await fetch())


async def test_a_ticket_ends_with_its_session(staff_client: Client, fetch: Any, clinician: User) -> None:
    ticket, key = await fetch(), staff_client.cookies["session"].value
    await sync_to_async(staff_client.post)(reverse("accounts:signout"))
    staff_client.cookies["session"] = key
    async with Socket(staff_client, BOARD, subprotocols=[SUBPROTOCOL, ticket]) as socket:
        assert await socket.until_closed() == NOT_ALLOWED

    await sync_to_async(verify)(staff_client, clinician)
    assert not await opens(staff_client, SUBPROTOCOL, ticket)


def offers(ticket: str) -> list[list[str]]:
    """What is no ticket, and a ticket that is not offered as it should be."""
    turned = ticket[:-1] + ("A" if ticket[-1] != "A" else "B")
    return [
        [SUBPROTOCOL],
        [SUBPROTOCOL, ""],
        [SUBPROTOCOL, turned],
        [SUBPROTOCOL, ticket[:-1]],
        [SUBPROTOCOL, ticket + "A"],
        [SUBPROTOCOL, ticket.swapcase()],
        [SUBPROTOCOL, f"{ticket} "],
        [SUBPROTOCOL, f"{ticket},{ticket}"],
        [SUBPROTOCOL, SUBPROTOCOL],
        [SUBPROTOCOL, "x" * 65_536],
        [SUBPROTOCOL, "\udcff\0\u202e*"],
        [SUBPROTOCOL, ticket, ticket],
        [SUBPROTOCOL, *["x"] * 1000, ticket],
        [ticket],
        [ticket, SUBPROTOCOL],
        ["telehealth.v2", ticket],
        ["graphql-ws", ticket],
    ]


async def test_what_is_no_ticket_opens_nothing(staff_client: Client, fetch: Any) -> None:
    ticket = await fetch()
    for offered in offers(ticket):
        async with Socket(staff_client, BOARD, subprotocols=offered) as socket:
            assert await socket.next() == {"type": "closed"}, offered
            assert socket.code == NO_TICKET
            assert socket.accepted_protocol == (SUBPROTOCOL if SUBPROTOCOL in offered else None)

    assert await opens(staff_client, SUBPROTOCOL, ticket), "nobody has used it"


async def test_a_page_that_knows_of_no_tickets_hears_that_it_is_outdated(staff_client: Client) -> None:
    """Else it would try for ever after an update; and it hears nothing besides."""
    async with Socket(staff_client, BOARD, subprotocols=[]) as socket:
        assert await socket.next() == {"type": "welcome", "seq": 1, "version": 2}
        assert await socket.next() == {"type": "closed"}
        assert socket.code == TOO_MANY_REFUSALS, "if it stays, it waits long before it tries again"


async def test_another_sites_page_opens_nothing_with_a_ticket(staff_client: Client, fetch: Any) -> None:
    """Row 15 of the checklist: the Origin comes first, whatever is shown."""
    ticket = await fetch()

    assert not await opens(staff_client, SUBPROTOCOL, ticket, origin="https://evil.example")
    assert await opens(staff_client, SUBPROTOCOL, ticket)


async def test_a_ticket_alone_opens_nothing(fetch: Any) -> None:
    """The session is asked as before: who it is, and whether they may."""
    async with Socket(Client(), BOARD, subprotocols=[SUBPROTOCOL, await fetch()]) as socket:
        assert await socket.until_closed() == NOT_ALLOWED


async def test_redis_holds_no_ticket(fetch: Any) -> None:
    from redis import Redis

    ticket = await fetch()
    store = Redis.from_url(settings.REDIS_URL)
    keys = await sync_to_async(store.keys)("*socket-ticket*")

    assert keys
    assert ticket.encode() not in b" ".join(keys)


async def test_without_redis_pages_come_again(
    staff_client: Client, fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    ticket = await fetch()
    monkeypatch.setattr(tickets, "redeem", away)
    async with Socket(staff_client, BOARD, subprotocols=[SUBPROTOCOL, ticket]) as socket:
        assert await socket.until_closed() == BROKEN

    monkeypatch.setattr(tickets, "issue", away)
    assert (await sync_to_async(staff_client.post)(ADDRESS, {"path": BOARD})).status_code == 503


# --- where they are fetched ---------------------------------------------------------------------


def test_nobody_without_a_session_gets_one(client: Client) -> None:
    client.cookies["session"] = "made-up"

    for answer in (client.get(ADDRESS), client.post(ADDRESS, {"path": BOARD})):
        assert (answer.status_code, answer.json()) == (401, {})


def test_a_session_that_ended_gets_none(staff_client: Client) -> None:
    Session.objects.update(expires_at=timezone.now())

    assert staff_client.post(ADDRESS, {"path": BOARD}).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["", "/", "ws/board/", "/ws/", "/ws/board", "/ws//board/\n", "/ws/á/", "/ws/b?x=/", "/ws/" + "x" * 101 + "/"],
)
def test_there_are_tickets_to_sockets_only(staff_client: Client, path: str) -> None:
    assert staff_client.post(ADDRESS, {"path": path}).status_code == 400


def test_another_sites_form_gets_none(staff_client: Client) -> None:
    staff_client.handler.enforce_csrf_checks = True

    assert staff_client.post(ADDRESS, {"path": BOARD}).status_code == 403


def test_a_page_of_before_a_sign_in_gets_a_token_that_is_good(staff_client: Client) -> None:
    staff_client.handler.enforce_csrf_checks = True
    token = staff_client.get(ADDRESS).json()["token"]

    answer = staff_client.post(ADDRESS, {"path": BOARD}, headers={"x-csrftoken": token})

    assert (answer.status_code, list(answer.json())) == (200, ["ticket"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_fetching_tickets_is_no_activity(staff_client: Client) -> None:
    """Row 3 of the checklist: a page that opens its sockets again and again keeps no session alive."""
    long_ago = timezone.now() - timedelta(minutes=10)
    Session.objects.update(seen_at=long_ago)
    before = Session.objects.get()
    for _ in range(3):
        assert staff_client.get(ADDRESS).status_code == 200
        assert staff_client.post(ADDRESS, {"path": BOARD}).status_code == 200

    after = Session.objects.get()
    assert (after.seen_at, after.expires_at) == (long_ago, before.expires_at)


def test_there_is_an_end_of_tickets(staff_client: Client, visit: Appointment, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(views, "TICKETS_A_MINUTE", 3)
    answers = [staff_client.post(ADDRESS, {"path": BOARD}).status_code for _ in range(5)]

    assert answers == [200, 200, 200, 429, 429]
    assert ticket_for(browser(make_link(visit)), BOARD), "each session by itself"


# --- by real processes --------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def webs(log: Path) -> Iterator[list[Web]]:
    """Two of them, that write down as much as they can."""
    with log.open("wb") as file:
        pair = [Web("--log-level", "trace", "--access-log", log=file, TELEHEALTH_LOG_LEVEL="DEBUG") for _ in range(2)]
        yield pair
        for web in pair:
            stop(web.process)


def shake(web: Web, client: Client, **how: Any) -> Any:
    """A handshake with the client's cookie."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    headers = [("Cookie", cookie), *how.pop("headers", [])]
    url = f"ws://localhost:{web.port}{BOARD}"
    return connect(url, origin=web.address, additional_headers=headers, proxy=None, **how)  # type: ignore[arg-type]


async def first_of(socket: ClientConnection) -> str | int:
    """The type of the first message, or the code with which it closes instead."""
    try:
        return str(json.loads(await socket.recv())["type"])
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else 1006


async def test_of_twenty_with_one_ticket_one_opens_and_no_log_has_it(
    webs: list[Web], log: Path, staff_client: Client, fetch: Any
) -> None:
    """Row 15 of the checklist: at the same moment, and at two web processes."""
    shown = [staff_client.cookies["session"].value]
    for _ in range(5):
        shown.append(ticket := await fetch())
        async with AsyncExitStack() as stack:
            tries = [shake(webs[turn % 2], staff_client, subprotocols=[SUBPROTOCOL, ticket]) for turn in range(20)]
            sockets = await asyncio.gather(*(stack.enter_async_context(one) for one in tries))
            heard = await asyncio.gather(*map(first_of, sockets))

        assert sorted(map(str, heard)) == [str(NO_TICKET)] * 19 + ["welcome"]
        assert {socket.subprotocol for socket in sockets} == {SUBPROTOCOL}

    written = log.read_text()
    assert "[accepted]" in written
    assert [secret for secret in shown if secret in written] == []


ODD = ["", ",", ";;", "a b, c", "\xff\xfe", f"{SUBPROTOCOL}, ", "x" * 7000, "x," * 3000]


def answer_to(web: Web, client: Client, offered: str) -> int:
    """The status of a handshake that offers this, whatever it is."""
    headers = {
        "Host": f"localhost:{web.port}",
        "Origin": web.address,
        "Cookie": f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": offered,
    }
    with closing(HTTPConnection("localhost", web.port, timeout=10)) as connection:
        connection.request("GET", BOARD, headers=headers)
        return connection.getresponse().status


async def test_odd_offers_are_refused_and_the_process_goes_on(
    webs: list[Web], log: Path, staff_client: Client, fetch: Any
) -> None:
    answers = [await sync_to_async(answer_to)(webs[0], staff_client, offered) for offered in ODD]
    assert set(answers) == {101, 400}, answers

    async with shake(webs[0], staff_client, subprotocols=[SUBPROTOCOL, await fetch()]) as socket:
        assert await first_of(socket) == "welcome"
    assert "Traceback" not in log.read_text()
