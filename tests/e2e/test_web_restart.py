"""The web process dies while two people talk: their media go on, and a new process takes their sockets up."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from telehealth.embedded import end_with_parent, stop, wait_until
from tests.conftest import staff
from tests.e2e import calls, media, steps
from tests.e2e.conftest import note
from tests.party import browser, make_link
from tests.room.conftest import admit
from visits.booking.models import Appointment
from visits.room import services
from visits.room.models import Presence, Seat

pytestmark = pytest.mark.e2e
DEAD_FOR = 6  # seconds
TRIES = "() => window.tries"


class Web:
    """A web process with the test's database, and always the same port."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.address = f"http://localhost:{self.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "telehealth.asgi:application", "--host", "127.0.0.1", "--port",
             str(self.port), "--ws", "websockets-sansio", "--lifespan", "off", "--log-level", "warning"],
            env={**os.environ, "TELEHEALTH_DEBUG": "1", "TELEHEALTH_BASE_URL": self.address,
                 "TELEHEALTH_DATABASE_URL": database_url()},
            cwd=settings.BASE_DIR, preexec_fn=end_with_parent,
        )  # fmt: skip
        wait_until(self._answers, self.process, "The web process")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """As when its machine loses power: it says goodbye to nobody."""
        self.process.kill()
        self.process.wait()


def database_url() -> str:
    """The one in use: the same server, and the test's name."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["TELEHEALTH_DATABASE_URL"])._replace(path=f"/{name}").geturl()


@pytest.fixture
def web(transactional_db: Any) -> Iterator[Web]:
    web = Web()
    yield web
    stop(web.process)


@pytest.fixture
def site(web: Web, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(settings, "BASE_URL", web.address)
    return web.address


def test_a_web_process_that_dies_does_not_touch_the_call(
    relay: Any,
    web: Web,
    person: Callable[..., Page],
    visit: Appointment,
    clinician: User,
    verified: Callable[[User], Client],
) -> None:
    admit(visit, clinician)
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    doctor, rosa = person("doctor", colour="red", tone=400), person("rosa", colour="blue", tone=1000)
    for page, client, url in (
        (doctor, verified(clinician), f"/visits/{visit.pk}/room/"),
        (rosa, browser(make_link(visit)), f"/my/{visit.pk}/room/"),
    ):
        steps.carry_session(page, client)
        page.goto(url)
    media.looks(doctor.locator("#tiles video"), "blue")
    media.looks(rosa.locator("#tiles video"), "red")
    before = dict(Seat.objects.values_list("role", "epoch"))

    web.kill()
    doctor.get_by_role("button", name="Mute", exact=True).click()
    for _ in range(DEAD_FOR):
        for page in (doctor, rosa):
            calls.sees(page)
        rosa.wait_for_timeout(1000)
    web.start()

    expect(rosa.locator("#tiles .tile")).to_contain_text("muted")
    for page in (doctor, rosa):
        calls.sees(page)
        expect(page.locator("#tiles .tile")).to_have_count(1)
        note(page.evaluate(TRIES))
    doctor.get_by_role("button", name="Unmute").click()
    media.sounds(rosa.locator("#tiles audio"), 400)
    assert dict(Seat.objects.values_list("role", "epoch")) == before
    assert Presence.objects.filter(left_at=None).count() == Presence.objects.count() == 2
