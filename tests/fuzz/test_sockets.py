"""Whatever one browser says on its socket: that answers or closes as PROTOCOL.md has it, and nobody else notices."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db.models import Count, F
from django.test import Client

from accounts.models import AccessLink, AuditEvent, User
from accounts.policy import Role
from tests import factories
from tests.fuzz.conftest import SECONDS, SEED
from tests.fuzz.mutate import Mutator
from tests.headless import eventually
from tests.room.sockets import Page, is_here
from visits.booking.models import Appointment
from visits.live.messages import MAX_BYTES, MAX_ID, MESSAGE_BURST, WORDS
from visits.room.models import Encounter, Presence, Seat

pytestmark = pytest.mark.django_db(transaction=True)

OFFER = "an offer"  # stands for one that the relay takes
COMMON: list[dict[str, Any]] = [{"type": "ping"}, {"type": "resync"}]
FOR_ALL = [
    {"type": "join", "sdp": OFFER, "audio": True, "video": True, "e2ee": True},
    {"type": "join", "sdp": "v=0\r\n", "audio": False, "video": False, "e2ee": False},
    {"type": "resume", "epoch": 1},
    {"type": "resume", "epoch": 2**31 - 1},
    {"type": "media", "audio": False, "video": True},
    {"type": "share", "on": True},
    {"type": "sizes", "heights": {"0": 720, "4": 0}},
    {"type": "e2ee", "to": None, "data": "x" * 300},
    {"type": "e2ee", "to": "7f1c1ad0-0000-4000-8000-000000000000", "data": ""},
    {"type": "stats", "span": 5000, "round_trip": None, "freezes": 0, "frozen": 0, "concealed": 0, "heard": 5000,
     "decoded": 100, "dropped": 0, "width": 640, "height": 360},
    {"type": "leave"},
]  # fmt: skip
# A clinician may end the visit for all: that is no attack.
FOR_PATIENTS = [*FOR_ALL, {"type": "end"}, {"type": "encryption", "on": False}]
FOR_CLINICIANS = [*FOR_ALL, {"type": "encryption", "on": True}]
# 1011, our fault, is not among them.
CLOSES = {1000, 1009, 4401, 4404, 4409, 4429}

Attacker = tuple[Callable[[], Page], list[dict[str, Any]]]


@pytest.fixture
def attackers(
    encounter: Encounter,
    clinic: Any,
    visit: Appointment,
    front_desk: User,
    patient_page: Callable[[], Page],
    patient_link: AccessLink,
    redeemed: Callable[[AccessLink], Client],
    verified: Callable[[User], Client],
) -> list[Attacker]:
    """One for every socket."""
    colleague = verified(factories.make_member(clinic, Role.CLINICIAN, name="Colleague", email="colleague@example.org"))
    desk, rosa = verified(front_desk), redeemed(patient_link)
    return [
        (lambda: Page(desk, "/ws/board/"), COMMON),
        (lambda: Page(rosa, f"/ws/my/{visit.pk}/waiting/"), COMMON),
        (patient_page, FOR_PATIENTS),
        (lambda: Page(colleague, f"/ws/visits/{visit.pk}/room/"), FOR_CLINICIANS),
    ]


class Attack:
    """What one hostile page sends, and what becomes of it."""

    def __init__(self, page: Page, seeds: list[dict[str, Any]], mutator: Mutator) -> None:
        self.page, self.seeds, self.mutator, self.chance = page, seeds, mutator, mutator.chance
        self.number = 0

    async def go(self) -> None:
        for _ in range(self.chance.choice((3, 10, MESSAGE_BURST - 2, 3 * MESSAGE_BURST))):
            await self.page.socket.send_input({"type": "websocket.receive", **self._frame()})
        await self.page.send_text(json.dumps({"type": "ping", "id": MAX_ID}))
        await self._answers()

    def _frame(self) -> dict[str, Any]:
        match self.chance.randrange(24):
            case 0:
                return {"bytes": self.chance.randbytes(self.chance.choice((0, 1, 500, MAX_BYTES + 1)))}
            case 1:
                return {"text": self.chance.choice(("[", '{"a":')) * self.chance.choice((10, 5000))}
            case 2:
                return {"text": '{"type":"ping","id":' + "9" * self.chance.choice((16, 400, 60_000)) + "}"}
            case 3:
                return {"text": "\ud800" * self.chance.choice((1, 30_000))}
            case 4 | 5 | 6 | 7 | 8:
                return {"text": json.dumps(self._good())}
            case _:
                return {"text": self.mutator.document([self._good()])}

    def _good(self) -> dict[str, Any]:
        self.number += self.chance.choice((1, 1, 1, 1, 0, -1, 1000))
        message = {**self.chance.choice([*COMMON, *self.seeds]), "id": self.number}
        if message.get("sdp") == OFFER:
            message["sdp"] = self.page.person.offer()
        return message

    async def _answers(self) -> None:
        async with asyncio.timeout(60):
            while (message := await self.page.next(within=60)) is not None:
                if message["type"] == "error":
                    assert message["code"] in {*WORDS, "relay-full"}, message
                if message.get("re") == MAX_ID:
                    return
        assert self.page.code in CLOSES, self.page.code


async def test_nobody_else_notices(
    relay_process: Any,
    attackers: list[Attacker],
    staff_page: Callable[[], Page],
    guest_page: Callable[[], Page],
    mutator: Mutator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    began, turn = time.monotonic(), 0
    async with staff_page() as doctor, guest_page() as ana:
        await doctor.join()
        await ana.join()
        await doctor.until("state", is_here("guest"))
        while turn < len(attackers) or time.monotonic() - began < SECONDS:
            make, seeds = attackers[turn % len(attackers)]
            turn += 1
            async with make() as page:
                await Attack(page, seeds, mutator).go()
            for bystander, other in ((doctor, "guest"), (ana, "clinician")):
                await still_there(bystander, other)
            await database_sync_to_async(is_consistent)()
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR] == [], f"seed {SEED}"


async def still_there(page: Page, other: str) -> None:
    """The socket answers, and the sound of the other person goes on."""
    await page.send("ping")
    message = await page.until("pong")
    assert message["re"] == page.number
    await page.send("resync")
    assert is_here(other)(await page.until("state")), f"seed {SEED}"
    person, since = page.person, time.monotonic()
    heard = [person.slot_mid(slot, "audio") for slot in range(5)]
    await eventually(lambda: any(p.sender == other and p.at > since for mid in heard for p in person.by_mid[mid][-20:]))


def is_consistent() -> None:
    """What the database cannot refuse by itself."""
    assert Encounter.objects.get().status == Encounter.Status.IN_PROGRESS
    assert Seat.objects.values("role").annotate(n=Count("pk")).filter(role="patient", n__gt=1).count() == 0
    assert Seat.objects.count() <= 4
    assert not Presence.objects.filter(epoch__gt=F("seat__epoch")).exists()
    assert not AuditEvent.objects.filter(subtype="visit.end").exists()
    # The end of encryption is one bit away from a clinician's message, and a clinician's to say.
    assert not AuditEvent.objects.filter(subtype="visit.unencrypt").exclude(role=Role.CLINICIAN).exists()
