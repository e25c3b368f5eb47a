"""The web process dies while two people talk: their media go on, and a new process takes their sockets up."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from telehealth.embedded import stop
from tests.conftest import staff
from tests.e2e import calls, media, steps
from tests.e2e.conftest import note
from tests.party import browser, make_link
from tests.room.conftest import admit
from tests.web import Web
from visits.booking.models import Appointment
from visits.room import services
from visits.room.models import Presence, Seat

pytestmark = pytest.mark.e2e
DEAD_FOR = 6  # seconds
TRIES = "() => window.tries"


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
