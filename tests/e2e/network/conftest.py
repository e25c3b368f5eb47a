"""Two people in a visit, each behind a line of their own, which can be made bad."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page

from accounts.models import User
from tests.conftest import staff
from tests.e2e import calls, media, steps
from tests.e2e.firefox import Firefox, eventually
from tests.e2e.network.lab import Lab, Line, missing
from tests.e2e.network.measure import Window
from tests.party import browser, make_link
from tests.room.conftest import admit
from visits.booking.models import Appointment
from visits.room import services

DELAY = 0.02  # seconds each way
# Nothing else runs here: what is seen and heard is held to the milliseconds that are promised, not only printed.
QUIET = os.environ.get("TELEHEALTH_TEST_QUIET") == "yes"
WORDS = """() => {
  const isOn = document.querySelector("#security").dataset.mode === "on";
  return isOn ? [...document.querySelectorAll("#security-words li")].map((each) => each.textContent) : [];
}"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    reason = missing()
    if not reason and shutil.which("espeak-ng") is None:
        reason = "needs espeak-ng"
    if reason:
        pytest.skip(f"NOT RUN: {reason}")
    lab = Lab(tmp_path)
    yield lab
    lab.close()


@dataclass
class Side:
    """One person: their page, their line, and the colour that their camera shows."""

    page: Any  # a Page or a Firefox
    line: Line
    colour: str  # "" for many


@dataclass
class Call:
    """A visit that is going on."""

    doctor: Side
    rosa: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.doctor, self.rosa

    def both_ways(self) -> None:
        """Wait until picture and sound come to both, of the other and nobody else, encrypted end to end."""
        for side in self.sides:
            calls.sees(side.page)
            calls.hears(side.page)
            eventually(lambda page=side.page: page.locator(".tile[data-seat]").count() == 1, "a ghost")
        for side, colour in ((self.doctor, self.rosa.colour), (self.rosa, self.doctor.colour)):
            if colour:
                media.looks(side.page.locator("#tiles video"), colour)
        eventually(lambda: len(words := {self.words(side) for side in self.sides}) == 1 and words != {()}, "no words")

    @staticmethod
    def words(side: Side) -> tuple[str, ...]:
        """The words to compare, where the page says that the visit is encrypted."""
        return tuple(side.page.evaluate(WORDS))

    def watch(self, seconds: float) -> tuple[Window, Window]:
        """What both got in that time."""
        windows = Window(self.doctor.page), Window(self.rosa.page)
        self.doctor.page.wait_for_timeout(1000 * seconds)
        for window in windows:
            window.close()
        return windows


@pytest.fixture
def visit(visit: Appointment, clinician: User) -> Appointment:
    """Its patient was let in."""
    admit(visit, clinician)
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    return visit


@pytest.fixture
def call(
    lab: Lab,
    site: str,
    person: Callable[..., Page],
    firefox: Callable[..., Firefox],
    visit: Appointment,
    clinician: User,
    verified: Callable[[User], Client],
) -> Callable[..., Call]:
    """``call(patient="firefox")``: both are in the visit, and see and hear each other."""

    def enter(name: str, colour: str, program: str, client: Client, url: str) -> Side:
        line = lab.connect(site)
        line.tell("delay", DELAY)
        if program == "firefox":
            page: Any = firefox(name, tone=1000, namespace=line.namespace.name)
        else:
            page = person(name, colour=colour, lively=True, executable=line.chromium)
        steps.carry_session(page, client)
        page.goto(url)
        return Side(page, line, "" if program == "firefox" else colour)

    def start(*, clinician_in: str = "chromium", patient_in: str = "chromium") -> Call:
        doctor = enter("doctor", "red", clinician_in, verified(clinician), f"/visits/{visit.pk}/room/")
        rosa = enter("rosa", "blue", patient_in, browser(make_link(visit)), f"/my/{visit.pk}/room/")
        call = Call(doctor, rosa)
        call.both_ways()
        return call

    return start
