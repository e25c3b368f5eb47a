"""How long a patient waits for the clinician's picture. Measured and printed, never asserted: docs/figures.md."""

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page

from accounts.models import AccessLink, User
from tests.conftest import staff
from tests.e2e import media, steps
from tests.e2e.conftest import note
from tests.room.conftest import admit
from visits.booking.models import Appointment
from visits.room import services

pytestmark = pytest.mark.bench

JOINS = 10
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# When a link was pressed, and when the first frame of somebody else was shown: ms of the machine's clock.
WATCH = """
const now = () => performance.timeOrigin + performance.now();
addEventListener("click", () => sessionStorage.setItem("pressed", now()), {capture: true});
new MutationObserver((_, observer) => {
  const video = document.querySelector("#tiles video");
  if (!video) return;
  observer.disconnect();
  video.requestVideoFrameCallback(() => (window.waited = now() - Number(sessionStorage.getItem("pressed"))));
}).observe(document, {childList: true, subtree: true});
"""
RELOAD = """() => {
  sessionStorage.setItem("pressed", performance.timeOrigin + performance.now());
  location.reload();
}"""


def test_the_first_picture(
    relay: Any,
    person: Callable[..., Page],
    visit: Appointment,
    clinician: User,
    patient_link: AccessLink,
    verified: Callable[[User], Client],
    redeemed: Callable[[AccessLink], Client],
) -> None:
    admit(visit, clinician)
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    doctor = person("doctor", colour="red", tone=400)
    steps.carry_session(doctor, verified(clinician))
    doctor.goto(f"/visits/{visit.pk}/room/")
    waits: dict[str, list[float]] = {"click to first picture": [], "reload to first picture": []}

    for _ in range(JOINS):
        rosa = person("rosa", colour="blue", tone=1000, **PHONE)  # a browser that has never been here
        rosa.add_init_script(WATCH)
        steps.carry_session(rosa, redeemed(patient_link))
        rosa.goto(f"/my/{visit.pk}/waiting/")
        rosa.get_by_role("link", name="Join the visit").click()
        waits["click to first picture"].append(waited(rosa))
        media.looks(rosa.locator("#tiles video"), "red")
        rosa.evaluate(RELOAD)
        rosa.wait_for_event("domcontentloaded")
        waits["reload to first picture"].append(waited(rosa))
        media.looks(rosa.locator("#tiles video"), "red")
        rosa.context.browser.close()  # type: ignore[union-attr]

    note(f"\n{'ms, ' + str(JOINS) + ' times':<26}{'median':>8}{'max':>8}")
    for what, each in waits.items():
        note(f"{what:<26}{median(each):>8.0f}{max(each):>8.0f}")


def waited(page: Page) -> float:
    """Milliseconds from the press to the picture."""
    page.wait_for_function("() => window.waited")
    return float(page.evaluate("() => window.waited"))
