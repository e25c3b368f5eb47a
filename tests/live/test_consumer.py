"""The rules that hold on every socket, tried on the Today board's and the waiting patient's."""

import json
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.links.services import revoke
from accounts.models import Membership, Session, TOTPDevice
from tests import factories
from tests.conftest import staff
from tests.live.sockets import Socket
from tests.party import browser, make_link
from visits.live import consumer, events
from visits.live.messages import MAX_BYTES, MESSAGE_BURST, REFUSAL_BURST, VERSION
from visits.waiting import board as today

pytestmark = pytest.mark.django_db(transaction=True)

BOARD = "/ws/board/"


@pytest.fixture
def quick(monkeypatch):
    """The socket's clock runs fast: it looks again, and at the right, ten times a second."""
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(consumer, "CHECK_RIGHT_SECONDS", 0.1)


@pytest.fixture
def same_minute(monkeypatch):
    """The minute, of which every board is told, does not turn during the test."""
    now, versions = timezone.now(), today.versions
    monkeypatch.setattr(today, "versions", lambda clinic, _: versions(clinic, now))


@pytest.fixture
def board(verified, clinician):
    client = verified(clinician)
    return lambda: Socket(client, BOARD)


@pytest.fixture
def clinician_client(verified, clinician):
    return verified(clinician)


async def test_a_socket_begins_with_welcome_and_the_whole_state(board):
    async with board() as socket:
        welcome, state = await socket.next(), await socket.next()

    assert welcome == {"type": "welcome", "seq": 1, "version": VERSION}
    assert (state["type"], state["seq"]) == ("state", 2)


async def test_ping_and_resync_are_answered(board):
    async with board() as socket:
        number = await socket.send("ping")
        pong = await socket.until("pong")
        await socket.send("resync")
        await socket.until("state")

    assert pong["re"] == number


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null", None])
async def test_a_foreign_origin_is_refused_before_the_socket_opens(clinician_client, origin):
    """Row 15 of the checklist: a wrong or absent Origin is refused."""
    async with Socket(clinician_client, BOARD, origin=origin) as socket:
        assert not socket.accepted


@pytest.mark.parametrize("who", ["anonymous", "password only", "auditor", "patient"])
async def test_the_board_is_for_verified_staff_who_may_see_it(password_only, verified, clinician, auditor, visit, who):
    make = {
        "anonymous": Client,
        "password only": lambda: password_only(clinician),
        "auditor": lambda: verified(auditor),
        "patient": lambda: browser(make_link(visit)),
    }[who]
    async with Socket(await database_sync_to_async(make)(), BOARD) as socket:
        assert await socket.until_closed() == consumer.NOT_ALLOWED


async def test_a_link_opens_the_socket_of_its_own_visit_only(visit, practitioner):
    @database_sync_to_async
    def prepare():
        return browser(make_link(visit)), factories.make_visit(practitioner)

    client, other = await prepare()
    async with Socket(client, f"/ws/my/{other.pk}/waiting/") as socket:
        assert await socket.until_closed() == consumer.NOT_ALLOWED


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nonsense", "malformed"),
        (b"\x00\x01", "malformed"),
        ('{"type":"ping"}', "malformed"),
        ('{"type":"__class__","id":1}', "unknown-type"),
        ('{"type":"board.changed","id":1}', "unknown-type"),
        ('{"type":"ping","id":1,"extra":true}', "bad-field"),
    ],
)
async def test_a_bad_message_gets_a_coded_error_and_hurts_nobody(
    verified, clinician, front_desk, same_minute, frame, code
):
    """Row 24 of the checklist: malformed messages are answered, and others are served."""
    clients = await database_sync_to_async(lambda: (verified(clinician), verified(front_desk)))()
    async with Socket(clients[0], BOARD) as bad, Socket(clients[1], BOARD) as other:
        await bad.until("state")
        await other.until("state")
        await bad.send_frame(frame)
        error = await bad.until("error")

        assert error["code"] == code
        assert await other.is_silent()
        bad.id = 10
        await bad.send("ping")
        assert (await bad.until("pong"))["re"] == 11


async def test_an_old_id_is_out_of_order(board):
    async with board() as socket:
        await socket.send("ping")
        await socket.until("pong")
        await socket.send_frame('{"type":"ping","id":1}')
        error = await socket.until("error")

    assert (error["code"], error["re"]) == ("out-of-order", 1)


@pytest.mark.parametrize("frame", ["x" * (MAX_BYTES + 1), b"x" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1)])
async def test_a_frame_that_is_too_large_closes_the_socket(board, frame):
    async with board() as socket:
        await socket.until("state")
        await socket.send_frame(frame)

        assert await socket.until_closed() == consumer.TOO_LARGE


async def test_a_flood_is_slowed_down_and_then_closed(board):
    """Row 24 of the checklist: a socket that floods is closed."""
    async with board() as socket:
        await socket.until("state")
        for _ in range(MESSAGE_BURST + 10):
            await socket.send("ping")
        assert (await socket.until("error"))["code"] == "too-fast"

        for number in range(REFUSAL_BURST + 40):
            await socket.send_frame(json.dumps({"type": "nope", "id": 1000 + number}))
        assert await socket.until_closed() == consumer.TOO_MANY_REFUSALS


def sign_out(client, user):
    client.post(reverse("accounts:signout"))


def let_the_session_end(client, user):
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def change_the_password(client, user):
    user.set_password("another horse battery staple")
    user.save()


def take_the_second_factor(client, user):
    TOTPDevice.objects.filter(user=user).delete()


def doubt_the_second_factor(client, user):
    TOTPDevice.objects.filter(user=user).update(confirmed=False)


def deactivate(client, user):
    type(user).objects.filter(pk=user.pk).update(is_active=False)


def end_membership(client, user):
    Membership.objects.filter(user=user).update(is_active=False)


def change_role(client, user):
    Membership.objects.filter(user=user).update(role="front_desk")


def go_to_another_clinic(client, user):
    clinic = factories.make_clinic()
    Membership.objects.create(user=user, clinic=clinic, role="clinician")
    client.post(reverse("accounts:clinic"), {"clinic": str(clinic.pk)})


@pytest.mark.parametrize(
    "lose",
    [
        sign_out,
        let_the_session_end,
        change_the_password,
        take_the_second_factor,
        doubt_the_second_factor,
        deactivate,
        end_membership,
        change_role,
        go_to_another_clinic,
    ],
)
async def test_who_loses_the_right_is_closed(clinician_client, clinician, quick, lose):
    async with Socket(clinician_client, BOARD) as socket:
        await socket.until("state")
        await database_sync_to_async(lose)(clinician_client, clinician)

        assert await socket.until_closed() == consumer.NOT_ALLOWED


async def test_a_link_that_expires_closes_its_socket(visit, quick):
    link = await database_sync_to_async(make_link)(visit)
    client = await database_sync_to_async(browser)(link)
    async with Socket(client, f"/ws/my/{visit.pk}/waiting/") as socket:
        await socket.until("state")
        link.expires_at = timezone.now() - timedelta(seconds=1)
        await link.asave()

        assert await socket.until_closed() == consumer.NOT_ALLOWED


async def test_a_revoked_link_closes_its_socket(visit, quick, clinician):
    link = await database_sync_to_async(make_link)(visit)
    client = await database_sync_to_async(browser)(link)
    async with Socket(client, f"/ws/my/{visit.pk}/waiting/") as socket:
        await socket.until("state")
        await database_sync_to_async(lambda: revoke(principal=staff(clinician), link=link))()

        assert await socket.until_closed() == consumer.NOT_ALLOWED


async def test_a_lost_nudge_costs_a_moment_only(board, quick, practitioner):
    async with board() as socket:
        before = await socket.until("state")
        # Announces nothing.
        await database_sync_to_async(factories.make_visit)(practitioner, start=timezone.now())
        after = await socket.until("state")

    assert after["version"] != before["version"]


async def test_a_nudge_without_news_sends_nothing(board, clinic, same_minute):
    async with board() as socket:
        await socket.until("state")
        await database_sync_to_async(events.board_changed)(clinic.pk)

        assert await socket.is_silent(0.5)


async def test_another_clinics_board_hears_nothing(verified, stranger, clinician, visit, clinic, same_minute):
    client = await database_sync_to_async(verified)(stranger)
    async with Socket(client, BOARD) as socket:
        await socket.until("state")
        await database_sync_to_async(events.board_changed)(clinic.pk, arrived=visit.pk)

        assert await socket.is_silent(0.5)
