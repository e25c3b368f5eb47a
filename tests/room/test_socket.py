"""The room's socket, with a real relay and headless browsers."""

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccessLink, AuditEvent, Patient, Practitioner, User
from accounts.principal import Principal
from tests import factories
from tests.party import make_link
from tests.room.sockets import Page, is_gone, is_here, person
from visits.booking.models import Appointment
from visits.live import consumer, events
from visits.relay.client import RelayClient, RelayUnavailable
from visits.room import consumers, guests, presence, services
from visits.room.models import Encounter, Presence

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def guest_pages(redeemed: Callable[[AccessLink], Client], visit: Appointment) -> list[Page]:
    """Of five guests, who are one too many."""
    clients = [redeemed(make_link(visit, guest=f"Guest {n}")) for n in range(5)]
    return [Page(client, f"/ws/my/{visit.pk}/room/", name=f"guest {n}") for n, client in enumerate(clients)]


Pages = Callable[[], Page]


# --- who may come ---------------------------------------------------------------------------------


async def test_a_clinician_is_welcome(staff_page: Pages) -> None:
    async with staff_page() as page:
        assert (await page.next())["type"] == "welcome"
        state = await page.next()

    assert (state["phase"], state["you"], state["people"]) == ("open", None, [])


@pytest.fixture(params=["front_desk", "clinic_admin", "auditor"])
def seatless(request: pytest.FixtureRequest) -> User:
    user: User = request.getfixturevalue(request.param)
    return user


async def test_other_roles_are_not(visit: Appointment, seatless: User, verified: Callable[[User], Client]) -> None:
    client = await database_sync_to_async(verified)(seatless)

    async with Page(client, f"/ws/visits/{visit.pk}/room/") as page:
        assert await page.until_closed() == 4401


async def test_a_stranger_does_not_find_the_visit(
    visit: Appointment, stranger: User, verified: Callable[[User], Client]
) -> None:
    client = await database_sync_to_async(verified)(stranger)

    async with Page(client, f"/ws/visits/{visit.pk}/room/") as page:
        assert await page.until_closed() == 4404


async def test_a_password_alone_is_not_enough(
    visit: Appointment, clinician: User, password_only: Callable[[User], Client]
) -> None:
    """Row 7 of the checklist: no socket opens to a session with a password only."""
    client = await database_sync_to_async(password_only)(clinician)

    async with Page(client, f"/ws/visits/{visit.pk}/room/") as page:
        assert await page.until_closed() == 4401


@pytest.mark.parametrize("area", ["visits", "my"])
async def test_nobody_comes_without_a_name(visit: Appointment, area: str) -> None:
    async with Page(Client(), f"/ws/{area}/{visit.pk}/room/") as page:
        assert await page.until_closed() == 4401


async def test_a_foreign_page_cannot_open_the_socket(
    visit: Appointment, clinician: User, verified: Callable[[User], Client]
) -> None:
    client = await database_sync_to_async(verified)(clinician)

    async with Page(client, f"/ws/visits/{visit.pk}/room/", origin="https://evil.example") as page:
        assert not page.accepted


async def test_a_clinicians_session_does_not_open_the_patients_socket(
    visit: Appointment, clinician: User, verified: Callable[[User], Client]
) -> None:
    client = await database_sync_to_async(verified)(clinician)

    async with Page(client, f"/ws/my/{visit.pk}/room/") as page:
        assert await page.until_closed() == 4401


async def test_a_patient_waits_until_admitted(
    relay: subprocess.Popen[str], visit: Appointment, patient_page: Pages
) -> None:
    async with patient_page() as page:
        assert (await page.until("state"))["phase"] == "waiting"
        await page.ask()
        assert (await page.until("error"))["code"] == "not-open"


# --- the call -------------------------------------------------------------------------------------


async def test_both_see_each_other(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()

        await one.person.sees("patient", 0)
        await two.person.sees("clinician", 0, "audio")
        state = await one.until("state", lambda state: sum(each["here"] for each in state["people"]) == 2)

    assert {each["role"] for each in state["people"]} == {"clinician", "patient"}
    assert state["started"] == encounter.started_at.isoformat()


async def test_slots_say_who_is_where(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        seat = (await two.until("state", lambda state: state["you"]))["you"]

        slots = await one.until("slots", lambda message: message["slots"])

    assert slots["slots"] == {"0": seat}


async def test_three_people_see_each_other(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, guest_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two, guest_page() as three:
        for page in (one, two, three):
            await page.join()

        state = await three.until("state", lambda state: sum(each["here"] for each in state["people"]) == 3)

        assert len(set(state["slots"].values())) == 2
        assert person(state, "patient")["name"] == "Rosa"
        assert person(state, "guest")["name"] == "Ana Ruiz"


async def test_muting_is_told_to_the_others(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await two.send("media", audio=False, video=True)

        await one.until(
            "state", lambda state: any(each["role"] == "patient" and not each["audio"] for each in state["people"])
        )


async def test_presence_has_its_beginning_and_its_end(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as page:
        await page.join()
        await page.until("state", lambda state: person(state, "patient")["here"])
        await page.send("leave")
        assert await page.until_closed() == 1000

    presence = await Presence.objects.aget(seat__encounter=encounter)
    assert (presence.left_why, presence.left_at > presence.joined_at) == ("left", True)


async def test_a_page_that_does_not_follow_to_another_relay_is_not_kept_present(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose_the_relay() -> None:
        found = Encounter.objects.get(pk=encounter.pk)
        events.relay_left(found.appointment_id, str(found.relay_node_id), dead=True)

    def grow_old() -> None:
        Presence.objects.update(joined_at=long_ago, seen_at=long_ago)

    long_ago = timezone.now() - 2 * presence.SILENT_AFTER
    monkeypatch.setattr(consumers, "TICKS_PER_SIGN", 1)
    look_more_often(monkeypatch)
    async with patient_page() as page:
        await page.join()
        await page.until("state", is_here("patient"))
        await database_sync_to_async(lose_the_relay)()
        await page.until("moved")
        await database_sync_to_async(grow_old)()
        await asyncio.sleep(2)  # several ticks

        assert await database_sync_to_async(presence.close_silent)() == 1
        await page.until("state", is_gone("patient"))


async def test_a_newer_copy_has_the_seat(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as old, patient_page() as new:
        assert (await old.join())["epoch"] == 1
        assert (await new.join())["epoch"] == 2

        assert await old.until_closed() == 4409
        state = await new.until("state", lambda state: person(state, "patient")["here"])

    assert len(state["people"]) == 1


async def test_who_comes_back_is_never_shown_as_somebody_else(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as old:
        await old.join()
        seat = (await old.until("state", is_here("patient")))["you"]
        async with patient_page() as new:
            state = await new.until("state")

    assert [one["seat"] for one in state["people"]] == [seat] == [state["you"]]


async def test_two_copies_joining_at_once_leave_one(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as one, patient_page() as two:
        await asyncio.gather(
            one.ask(),
            two.ask(),
        )
        closed = [asyncio.create_task(page.until_closed()) for page in (one, two)]
        done, left = await asyncio.wait(closed, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()

        assert [task.result() for task in done] == [4409]
    assert await encounter.seats.acount() == 1


async def test_joining_again_on_the_same_socket_keeps_the_seat(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as page:
        first = await page.join()
        seat = (await page.until("state"))["you"]
        second = await page.join(connect=False)

        assert (second["epoch"], (await page.until("state"))["you"]) == (first["epoch"] + 1, seat)


async def test_who_vanishes_is_gone_after_some_seconds(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one:
        await one.join()
        async with patient_page() as two:
            await two.join()
            await one.until("state", lambda state: sum(each["here"] for each in state["people"]) == 2)
            two.person.quiet = True

            await one.until("state", lambda state: person(state, "patient")["away"])
            await one.until("state", lambda state: not person(state, "patient")["here"])

    assert (await Presence.objects.aget(seat__role="patient")).left_why == "lost"


async def test_a_screen_is_shown_to_the_others(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        seat = (await one.until("state", lambda state: state["you"]))["you"]
        await one.send("share", on=True)
        assert (await two.until("slots", lambda message: message["screen"]))["screen"] == seat
        await one.send("share", on=False)
        assert (await two.until("slots", lambda message: message["screen"] is None))["screen"] is None


async def test_a_screen_that_no_relay_took_can_be_shown_when_asked_again(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def share(*_: Any, **__: Any) -> None:
        raise RelayUnavailable("hangs")

    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        with monkeypatch.context() as hanging:
            hanging.setattr(RelayClient, "share", share)
            await one.send("share", on=True)
            assert (await one.until("error"))["code"] == "relay-unavailable"
        await one.send("share", on=True)
        await two.until("slots", lambda message: message["screen"])
        with monkeypatch.context() as hanging:
            hanging.setattr(RelayClient, "share", share)
            await one.send("share", on=False)
            assert (await one.until("error"))["code"] == "relay-unavailable"
        await one.send("share", on=False)
        await two.until("slots", lambda message: message["screen"] is None)


async def test_who_shows_a_screen_can_end_it_after_another_could_not_show_theirs(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def share(*_: Any, **__: Any) -> None:
        raise RelayUnavailable("hangs")

    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await one.send("share", on=True)
        await two.until("slots", lambda message: message["screen"])
        with monkeypatch.context() as hanging:
            hanging.setattr(RelayClient, "share", share)
            await two.send("share", on=True)
            assert (await two.until("error"))["code"] == "relay-unavailable"

        await one.send("share", on=False)
        await two.until("slots", lambda message: message["screen"] is None)


async def test_who_ends_their_screen_leaves_that_of_another(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await one.send("share", on=True)
        await two.until("slots", lambda message: message["screen"])
        await two.send("share", on=True)
        seat = (await one.until("slots", lambda message: message["screen"]))["screen"]
        await one.send("share", on=False)
        await one.send("resync")

        assert (await one.until("state"))["screen"] == seat


async def test_a_seventh_person_is_told_that_the_visit_is_full(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    guest_pages: list[Page],
) -> None:
    async with AsyncExitStack() as stack:
        everybody = [staff_page(), patient_page(), *guest_pages]
        *pages, seventh = [await stack.enter_async_context(page) for page in everybody]
        # Not connected: none of them is here as far as the database knows, so that the relay has to count.
        for page in pages:
            await page.join(connect=False)
        number = await seventh.ask()

        error = await seventh.until("error")
        assert (error["code"], error["re"]) == ("room-full", number)
        await pages[-1].send("leave")
        await pages[-1].until_closed()
        await pages[-1].socket.wait(timeout=10)
        await seventh.join()


async def test_a_clinician_who_enters_another_visit_is_neither_seen_nor_heard_in_the_first(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    clinician: User,
    verified: Callable[[User], Client],
    practitioner: Practitioner,
    other_patient: Patient,
) -> None:
    other = await database_sync_to_async(factories.make_visit)(practitioner, patient=other_patient)
    client = await database_sync_to_async(verified)(clinician)
    async with staff_page() as first, patient_page() as patient, Page(client, f"/ws/visits/{other.pk}/room/") as second:
        await first.join()
        await patient.join()
        await patient.person.sees("clinician", 0)
        await patient.until("state", is_here("clinician"))
        await second.join()

        assert await first.until_closed() == 4409
        await asyncio.wait_for(until(lambda: first.person.closed), 5)
        await patient.until("state", is_gone("clinician"))
        await second.until("state", is_here("clinician"))


async def test_taking_a_seat_over_and_over_does_not_flood_the_trail(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    answers = []
    async with patient_page() as first:
        epoch = (await first.join())["epoch"]
        for _ in range(2):
            async with patient_page() as page:
                for _ in range(consumers.TAKES // 2):
                    number = await page.send("resume", epoch=epoch)
                    answers.append(await page.until_answer(number))
        async with patient_page() as page:
            await page.ask()
            assert (await page.until("error"))["code"] == "too-fast"

    assert [answer["type"] for answer in answers[:-1]] == ["resumed"] * (consumers.TAKES - 1)
    assert answers[-1]["code"] == "too-fast"
    assert await AuditEvent.objects.filter(subtype__in=["visit.join", "visit.resume"]).acount() == consumers.TAKES


# --- the end --------------------------------------------------------------------------------------


async def test_the_clinician_ends_it_for_all(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await one.until("state", is_here("patient"))
        await one.send("end")

        for page in (one, two):
            assert (await page.until("state", lambda state: state["phase"] == "over"))["phase"] == "over"
            assert await page.until_closed() == 1000
        await asyncio.wait_for(until(lambda: two.person.closed), 5)


async def test_a_patient_cannot_end_it(relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages) -> None:
    async with patient_page() as page:
        await page.join()
        await page.send("end")

        assert (await page.until("error"))["code"] == "not-allowed"


async def test_a_guest_whose_link_is_taken_back_is_out_at_once(
    relay: subprocess.Popen[str], encounter: Encounter, guest_page: Pages, as_clinician: Principal
) -> None:
    async with guest_page() as page:
        await page.join()
        await page.until("state", lambda state: person(state, "guest")["here"])
        link = await AccessLink.objects.aget(kind="guest")

        await database_sync_to_async(guests.revoke_guest)(
            principal=as_clinician, visit=encounter.appointment, link_id=link.pk
        )

        assert await page.until_closed() == 4401
        await asyncio.wait_for(until(lambda: page.person.closed), 5)


def sign_out(user: User, client: Client) -> None:
    client.post(reverse("accounts:signout"))


def lose_the_membership(user: User, client: Client) -> None:
    user.memberships.update(is_active=False)


def be_disabled(user: User, client: Client) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("event", [sign_out, lose_the_membership, be_disabled])
async def test_media_stop_when_a_clinicians_right_ends(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    patient_page: Pages,
    clinician: User,
    verified: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
    event: Callable[[User, Client], None],
) -> None:
    look_more_often(monkeypatch)
    client = await database_sync_to_async(verified)(clinician)
    page = Page(client, f"/ws/visits/{encounter.appointment_id}/room/", name="clinician")
    async with page as one, patient_page() as two:
        await one.join()
        await two.join()
        await two.person.sees("clinician", 0)
        await two.until("state", is_here("clinician"))
        await database_sync_to_async(event)(clinician, client)

        assert await one.until_closed() == 4401
        await asyncio.wait_for(until(lambda: one.person.closed), 5)
        await two.until("state", is_gone("clinician"))
    assert (await Presence.objects.aget(seat__role="clinician")).left_why == "removed"


async def test_media_stop_when_a_link_ends_without_a_word_to_the_room(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    patient_link: AccessLink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_more_often(monkeypatch)
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.join()
        await one.person.sees("patient", 0)
        await one.until("state", is_here("patient"))
        await AccessLink.objects.filter(pk=patient_link.pk).aupdate(revoked_at=timezone.now())

        assert await two.until_closed() == 4401
        await asyncio.wait_for(until(lambda: two.person.closed), 5)
        await one.until("state", is_gone("patient"))


def look_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second, where the protocol promises 15."""
    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.5)
    monkeypatch.setattr(consumer, "CHECK_RIGHT_SECONDS", 1)


def test_rights_are_looked_at_as_often_as_promised() -> None:
    assert consumer.CHECK_RIGHT_SECONDS <= 15


async def test_a_socket_opened_after_the_end_hears_that_it_is_over(
    encounter: Encounter, staff_page: Pages, as_clinician: Principal
) -> None:
    await database_sync_to_async(services.end)(principal=as_clinician, visit=encounter.appointment)

    async with staff_page() as page:
        assert (await page.until("state"))["phase"] == "over"
        assert await page.until_closed() == 1000


# --- hostile and broken pages ---------------------------------------------------------------------

NONSENSE: list[Any] = [
    '{"type":"join","id":1,"sdp":7,"audio":true,"video":true,"e2ee":true}',
    '{"type":"join","id":1,"sdp":"v=0","audio":true}',
    '{"type":"media","id":1,"audio":1,"video":true}',
    '{"type":"share","id":1}',
    '{"type":"leave","id":1,"why":"x"}',
    '{"type":"__init__","id":1}',
    "[]",
    "{",
]


@pytest.mark.parametrize("frame", NONSENSE)
async def test_nonsense_hurts_nobody(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, frame: str
) -> None:
    async with staff_page() as one, patient_page() as two:
        await two.until("state")
        await two.send_text(frame)

        assert (await two.until("error"))["code"] in {"malformed", "unknown-type", "bad-field"}
        two.number = 1
        await two.join()
        await one.join()
        await one.person.sees("patient", 0)


@pytest.mark.parametrize("kind", ["media", "share", "leave"])
async def test_first_comes_joining(encounter: Encounter, patient_page: Pages, kind: str) -> None:
    fields = {"media": {"audio": True, "video": True}, "share": {"on": True}, "leave": {}}[kind]
    async with patient_page() as page:
        await page.send(kind, **fields)

        assert (await page.until("error"))["code"] == "not-joined"


async def test_an_offer_that_is_none_is_refused(
    relay: subprocess.Popen[str], encounter: Encounter, patient_page: Pages
) -> None:
    async with patient_page() as page:
        number = await page.send("join", sdp="hello", audio=True, video=True, e2ee=True)

        error = await page.until("error")
        assert (error["code"], error["re"]) == ("relay-refused", number)
        await page.join()


async def test_a_frame_too_large_closes_this_socket_only(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await two.send_text("x" * 70_000)

        assert await two.until_closed() == 1009
        await one.join()


async def test_without_a_relay_the_page_is_told_to_try_again(
    encounter: Encounter, patient_page: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    from visits.relay.client import RelayClient
    from visits.room import media

    nowhere = RelayClient(settings.REDIS_URL.replace("valkey.sock", "nobody.sock"), settings.RELAY_SECRET)
    monkeypatch.setattr(media, "make_client", lambda: nowhere)
    async with patient_page() as page:
        await page.ask()

        assert (await page.until("error"))["code"] == "relay-unavailable"


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.02)
