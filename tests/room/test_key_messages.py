"""What browsers say to each other about keys, and who waits outside, on the room's sockets."""

import asyncio
import logging
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditEvent, Clinic
from tests.room.sockets import Page, is_here
from visits.room import consumers
from visits.room.models import Encounter, Seat

pytestmark = pytest.mark.django_db(transaction=True)

Pages = Callable[[], Page]
SECRET = "tell nobody ✓"


async def nothing_of(page: Page, kind: str) -> None:
    """Whatever was on its way has arrived when the pong is here."""
    await page.send("ping")
    while (message := await page.next()) is not None and message["type"] != "pong":
        assert message["type"] != kind


async def test_what_one_says_the_others_hear(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, guest_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two, guest_page() as three:
        epochs = [(await page.join(connect=False))["epoch"] for page in (one, two, three)]
        await one.send("e2ee", to=None, data=SECRET)
        own = str((await Seat.objects.aget(role="clinician")).pk)

        for page in (two, three):
            heard = await page.until("e2ee")
            assert {name: heard[name] for name in ("from", "epoch", "data")} == {
                "from": own,
                "epoch": epochs[0],
                "data": SECRET,
            }
        await nothing_of(one, "e2ee")


async def test_what_is_said_to_one_nobody_else_hears(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages, guest_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two, guest_page() as three:
        for page in (one, two, three):
            await page.join(connect=False)
        await one.send("e2ee", to=str((await Seat.objects.aget(role="patient")).pk), data=SECRET)

        assert (await two.until("e2ee"))["data"] == SECRET
        await one.send("e2ee", to="nobody", data=SECRET)
        await nothing_of(two, "e2ee")
        await nothing_of(three, "e2ee")


async def test_only_who_has_joined_speaks_and_hears(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join(connect=False)
        await two.send("e2ee", to=None, data=SECRET)
        assert (await two.until("error"))["code"] == "not-joined"

        await one.send("e2ee", to=None, data=SECRET)
        await nothing_of(two, "e2ee")
        await nothing_of(one, "e2ee")


async def test_an_older_copy_neither_speaks_nor_hears(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    """Also while it has not noticed that it is one: a nudge may be lost."""
    async with staff_page() as one, patient_page() as two:
        await one.join(connect=False)
        await two.join(connect=False)
        await Seat.objects.filter(role="patient").aupdate(epoch=2)
        await two.send("e2ee", to=None, data=SECRET)
        assert (await two.until("error"))["code"] == "not-joined"

        await one.send("e2ee", to=None, data=SECRET)
        await nothing_of(two, "e2ee")


async def test_another_visit_hears_nothing(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    practitioner: Any,
    other_patient: Any,
    clinic: Any,
    verified: Any,
) -> None:
    from channels.db import database_sync_to_async

    from accounts.policy import Role
    from tests import factories

    def somewhere_else() -> tuple[Any, str]:
        other = factories.make_member(clinic, Role.CLINICIAN, name="Else", email="else@example.org")
        visit = factories.make_visit(factories.make_practitioner(clinic, other), patient=other_patient)
        return verified(other), f"/ws/visits/{visit.pk}/room/"

    client, path = await database_sync_to_async(somewhere_else)()
    async with staff_page() as one, Page(client, path) as other:
        await one.join(connect=False)
        await other.join(connect=False)
        await one.send("e2ee", to=None, data=SECRET)
        await one.send("e2ee", to=str((await Seat.objects.exclude(encounter=encounter).aget()).pk), data=SECRET)
        await nothing_of(one, "e2ee")
        await nothing_of(other, "e2ee")


async def test_nothing_of_it_is_logged_or_stored(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from django.conf import settings
    from redis.asyncio import Redis

    caplog.set_level(logging.DEBUG)
    mark = "7f3c9a51e2"
    async with staff_page() as one, patient_page() as two:
        await one.join(connect=False)
        await two.join(connect=False)
        await one.send("e2ee", to=None, data=mark)
        await two.until("e2ee")
        async with Redis.from_url(settings.REDIS_URL) as redis:
            dumps = [await redis.dump(key) async for key in redis.scan_iter()]

    assert not any(mark.encode() in dump for dump in dumps if dump)
    assert mark not in caplog.text
    trail = [str(detail) async for detail in AuditEvent.objects.values_list("detail", flat=True)]
    assert trail
    assert not any(mark in detail for detail in trail)


@pytest.mark.parametrize("fields", [
    {"to": None, "data": "é" * (consumers.MOST_E2EE_BYTES // 2 + 1)},
    {"to": None, "data": ""  "\0"},
    {"to": None, "data": "\ud800"},
    {"to": None, "data": {"a": 1}},
    {"to": None},
    {"data": "x"},
    {"to": 7, "data": "x"},
    {"to": None, "data": "x", "more": 1},
])  # fmt: skip
async def test_what_is_no_key_message_is_refused(
    encounter: Encounter, patient_page: Pages, fields: dict[str, Any]
) -> None:
    async with patient_page() as page:
        await page.send("e2ee", **fields)

        assert (await page.until("error"))["code"] == "bad-field"


async def test_a_key_message_may_have_eight_kibibytes(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join(connect=False)
        await two.join(connect=False)
        await one.send("e2ee", to=None, data="é" * (consumers.MOST_E2EE_BYTES // 2))

        assert len((await two.until("e2ee"))["data"].encode()) == consumers.MOST_E2EE_BYTES


async def test_a_flood_of_them_is_slowed_down(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumers, "E2EE_BURST", 5)
    async with staff_page() as one, patient_page() as two:
        await one.join(connect=False)
        await two.join(connect=False)
        for number in range(12):
            await one.send("e2ee", to=None, data=str(number))

        assert (await one.until("error"))["code"] == "too-fast"
        assert (await two.until("e2ee"))["data"] == "0"
        await nothing_of(one, "e2ee")


# --- who cannot encrypt ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "code"), [("required", "encryption-required"), ("preferred", "encryption-undecided")]
)
async def test_who_cannot_encrypt_is_told_why_and_the_clinician_who_it_is(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    policy: str,
    code: str,
) -> None:
    await Encounter.objects.aupdate(encryption=policy)
    async with staff_page() as one:
        await one.join()
        async with patient_page() as two:
            number = await two.ask(e2ee=False)
            error = await two.until("error")
            assert (error["code"], error["re"]) == (code, number)

            state = await one.until("state", lambda said: said["encryption"]["unable"])
            patient = next(person for person in state["people"] if person["role"] == "patient")
            assert (state["encryption"]["unable"], patient["here"]) == ([patient["seat"]], False)
        await one.until("state", lambda said: not said["encryption"]["unable"])


async def test_a_clinicians_word_lets_them_in_and_is_told_to_all(
    relay: subprocess.Popen[str], encounter: Encounter, staff_page: Pages, patient_page: Pages
) -> None:
    async with staff_page() as one, patient_page() as two:
        await one.join()
        await two.ask(e2ee=False)
        await two.until("error")
        await one.send("encryption", on=False)

        for page in (one, two):
            state = await page.until("state", lambda said: said["encryption"]["mode"] == "off")
            assert state["encryption"]["by"] == "Dr. Amara Okafor"
        await two.join(e2ee=False)
        await one.until("state", is_here("patient"))


async def test_a_clinician_whose_own_browser_cannot_may_decide_too(encounter: Encounter, staff_page: Pages) -> None:
    async with staff_page() as one:
        await one.ask(e2ee=False)
        assert (await one.until("error"))["code"] == "encryption-undecided"
        await one.send("encryption", on=False)

        await one.until("state", lambda said: said["encryption"]["mode"] == "off")


async def test_patients_and_guests_do_not_decide(encounter: Encounter, patient_page: Pages, guest_page: Pages) -> None:
    async with patient_page() as two, guest_page() as three:
        for page in (two, three):
            await page.send("encryption", on=False)
            assert (await page.until("error"))["code"] == "not-allowed"
    assert (await Encounter.objects.aget()).unencrypted_at is None


@pytest.mark.parametrize("on", [True, None, 0, "off"])
async def test_it_is_only_turned_off(encounter: Encounter, staff_page: Pages, on: Any) -> None:
    async with staff_page() as one:
        await one.send("encryption", on=on)

        assert (await one.until("error"))["code"] == "bad-field"


async def test_where_the_clinic_requires_it_nobody_turns_it_off(encounter: Encounter, staff_page: Pages) -> None:
    await Clinic.objects.aupdate(encryption="off")  # too late for this visit
    await Encounter.objects.aupdate(encryption="required")
    async with staff_page() as one:
        await one.send("encryption", on=False)

        assert (await one.until("error"))["code"] == "not-allowed"


async def test_a_browser_that_waits_counts_while_its_socket_lives(
    relay: subprocess.Popen[str],
    encounter: Encounter,
    staff_page: Pages,
    patient_page: Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from datetime import timedelta

    from visits.live import consumer
    from visits.room import encryption

    monkeypatch.setattr(consumer, "LOOK_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(encryption, "WAITS_FOR", timedelta(seconds=1))
    async with staff_page() as one, patient_page() as two:
        await one.join(connect=False)
        await two.ask(e2ee=False)
        await one.until("state", lambda said: said["encryption"]["unable"])
        await asyncio.sleep(1.5)

        await one.send("resync")
        assert (await one.until("state"))["encryption"]["unable"]
