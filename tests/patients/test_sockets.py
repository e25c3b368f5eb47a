"""The waiting room and the call of who is signed in: open by the account, closed with its session."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from accounts.models import Session
from accounts.patients import services as accounts
from accounts.policy import Role
from accounts.principal import Principal
from tests import factories
from tests.live.sockets import Socket
from tests.live.test_sessions import WITHIN, reason_of
from tests.party import bearer, browser, make_account, make_link, sign_in
from visits.booking.models import Appointment
from visits.live.consumer import NOT_ALLOWED, NOT_FOUND
from visits.room.models import Encounter, Seat
from visits.room.services import seat_for
from visits.room.state import shown_name

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("page", ["waiting", "room"])
@pytest.mark.parametrize("how", ["signs out elsewhere", "account ends"])
async def test_sockets_of_an_account_close_within_seconds_of_its_end(page, how, visit, account):
    """Row 14 of the checklist: what ends a patient's sign-in closes their open sockets within five seconds."""
    client: Client = await sync_to_async(sign_in)(account)
    async with Socket(client, f"/ws/my/{visit.pk}/{page}/") as socket:
        assert (await socket.next())["type"] == "welcome"
        if how == "account ends":
            await sync_to_async(accounts.end_account)(account.patient, why="clinic", principal=None)
        else:
            await sync_to_async(Session.objects.filter(user=account).delete)()
        assert await asyncio.wait_for(reason_of(socket), WITHIN) == "signed-out"


@pytest.mark.parametrize("page", ["waiting", "room"])
async def test_anothers_socket_is_not_there(page, visit):
    stranger = await sync_to_async(lambda: make_account(factories.make_patient(visit.clinic)))()
    client = await sync_to_async(sign_in)(stranger)
    async with Socket(client, f"/ws/my/{visit.pk}/{page}/") as socket:
        await socket.until_closed()
        assert socket.code == NOT_FOUND


async def test_an_account_hears_when_its_session_ends(account):
    """Row 9 of the checklist: who has an account is warned, and stays by one press."""
    client: Client = await sync_to_async(sign_in)(account)
    await Session.objects.aupdate(expires_at=timezone.now() + timedelta(minutes=2))
    async with Socket(client, "/ws/session/") as socket:
        soon = await socket.until("state")
        assert (await sync_to_async(client.post)("/sessions/extend/")).status_code == 204
        later = await socket.until("state")

    assert 110 <= soon["left"] <= 120
    assert 3590 <= later["left"] <= 3600
    assert not soon["final"]


async def test_who_came_by_a_link_hears_nothing_of_sessions(visit):
    client = await sync_to_async(lambda: browser(make_link(visit)))()
    async with Socket(client, "/ws/session/") as socket:
        await socket.until_closed()
        assert socket.code == NOT_ALLOWED


def test_pages_of_an_account_warn_and_pages_behind_a_link_do_not(account, visit):
    page = sign_in(account).get(f"/my/{visit.pk}/visit/").content.decode()

    assert 'data-socket="/ws/session/" data-signin="/me/signin/"' in page
    assert "nobody else sees your visits" in page
    assert "/ws/session/" not in browser(make_link(visit)).get(f"/my/{visit.pk}/visit/").content.decode()


def test_the_patient_has_one_seat_by_link_and_by_account(visit: Appointment, account, clinician):
    encounter = Encounter.objects.create(appointment=visit, started_at=visit.start, encryption=visit.clinic.encryption)
    who = Principal(clinic=visit.clinic, role=Role.PATIENT, name="Rosa Marín", account=account)

    first = seat_for(who, encounter)

    assert (first.user, first.link, first.role) == (account, None, "patient")
    assert seat_for(bearer(make_link(visit)), encounter) == first
    assert Seat.objects.count() == 1
    assert shown_name(first, bearer(make_link(visit, guest="Ines"))) == "Rosa"
