"""The Today board's socket and the waiting patient's."""

from datetime import timedelta

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from tests.conftest import staff
from tests.live.sockets import Socket
from tests.party import browser, make_link
from tests.waiting.conftest import make_arrived
from visits.booking import services as booking
from visits.live import consumer
from visits.waiting import services
from visits.waiting.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)

BOARD = "/ws/board/"


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.1)


@pytest.fixture
def board_client(verified, clinician):
    return verified(clinician)


def waiting(visit):
    return f"/ws/my/{visit.pk}/waiting/"


async def call(service, **arguments):
    return await database_sync_to_async(service)(**arguments)


async def test_an_arrival_is_told_and_not_found_by_looking_again(monkeypatch, board_client, as_patient, visit):
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 3600)
    async with Socket(board_client, BOARD) as board:
        before = await board.until("state")
        await call(services.arrive, principal=as_patient, visit=visit)
        arrival = await board.until("arrival")
        after = await board.until("state")

    assert arrival["visit"] == str(visit.pk)
    assert (arrival["name"], arrival["first_name"], arrival["mine"]) == ("Rosa Marín", "Rosa", True)
    assert arrival["time"] == visit.start.isoformat()
    assert after["version"] != before["version"]


async def test_opening_the_waiting_socket_is_the_arrival(board_client, patient_client, visit):
    async with Socket(board_client, BOARD) as board, Socket(patient_client, waiting(visit)) as page:
        state = await page.until("state")
        await board.until("arrival")

    assert (state["phase"], state["position"], state["clinician"]) == ("waiting", 1, "Dr. Amara Okafor")


async def test_the_call_is_told_and_not_found_by_looking_again(monkeypatch, patient_client, visit, clinician):
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 3600)
    principal = await call(staff, user=clinician)
    async with Socket(patient_client, waiting(visit)) as page:
        await page.until("state", phase="waiting")
        await call(services.admit, principal=principal, visit=visit)
        await page.until("state", phase="called")


async def test_who_goes_in_moves_the_next_up_at_once(patient_client, visit, practitioner, clinician):
    before = await call(make_arrived, practitioner=practitioner, minutes=-20)
    principal = await call(staff, user=clinician)
    async with Socket(patient_client, waiting(visit)) as page:
        await page.until("state", position=2)
        await call(services.admit, principal=principal, visit=before)
        state = await page.until("state", position=1)

    assert state["range"] == [12, 25]


async def test_a_cancelled_visit_is_said_before_the_link_ends(patient_client, visit, clinician):
    principal = await call(staff, user=clinician)
    async with Socket(patient_client, waiting(visit)) as page:
        await page.until("state", phase="waiting")
        await call(booking.cancel, principal=principal, visit=visit)
        await page.until("state", phase="cancelled")


async def test_the_place_is_taken_when_the_line_opens_under_an_open_page(patient_client, visit, quick):
    visit.start = timezone.now() + timedelta(hours=2)
    visit.end = visit.start + timedelta(minutes=20)
    await visit.asave()
    async with Socket(patient_client, waiting(visit)) as page:
        await page.until("state", phase="early")
        visit.start = timezone.now() + timedelta(minutes=20)
        visit.end = visit.start + timedelta(minutes=20)
        await visit.asave()
        await page.until("state", phase="waiting", position=1)

    assert await Ticket.objects.acount() == 1


async def test_the_open_socket_is_the_sign_of_life(patient_client, visit, quick):
    async with Socket(patient_client, waiting(visit)) as page:
        await page.until("state", phase="waiting")
        old = timezone.now() - timedelta(minutes=5)
        await Ticket.objects.aupdate(seen_at=old)
        while (await Ticket.objects.aget()).seen_at == old:
            await page.is_silent(0.1)
        await Ticket.objects.aupdate(seen_at=timezone.now() - timedelta(seconds=14))

    ticket = await Ticket.objects.aget()
    assert ticket.is_here(timezone.now() + timedelta(seconds=40)), "the grace runs from the moment the page closed"


async def test_the_board_sees_who_goes_away(board_client, patient_client, as_patient, visit, quick):
    await call(services.arrive, principal=as_patient, visit=visit)
    await Ticket.objects.aupdate(arrived_at=timezone.now() - timedelta(minutes=3))
    async with Socket(board_client, BOARD) as board:
        before = await board.until("state")
        await Ticket.objects.aupdate(seen_at=timezone.now() - timedelta(seconds=50))
        after = await board.until("state")

    assert before["version"] != after["version"]


async def test_a_guest_hears_the_call_but_is_no_sign_of_life(visit, as_patient, clinician):
    client = await database_sync_to_async(lambda: browser(make_link(visit, guest="Ines")))()
    principal = await call(staff, user=clinician)
    async with Socket(client, waiting(visit)) as page:
        state = await page.until("state", phase="waiting")
        assert (state["position"], state["range"]) == (None, None)
        assert await Ticket.objects.acount() == 0
        await call(services.arrive, principal=as_patient, visit=visit)
        await call(services.admit, principal=principal, visit=visit)
        await page.until("state", phase="called")


@pytest.mark.parametrize("who", ["stranger", "clinician"])
async def test_staff_have_no_waiting_socket(request, verified, stranger, clinician, visit, who):
    user = {"stranger": stranger, "clinician": clinician}[who]
    client = await database_sync_to_async(verified)(user)
    async with Socket(client, waiting(visit)) as page:
        assert await page.until_closed() == consumer.NOT_ALLOWED
