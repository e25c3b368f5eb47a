"""Everybody's line, as staff see it in the call and find it in the record."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e import media
from tests.e2e.test_room import doctor, poll, rosa, rosa_session, visit  # noqa: F401
from tests.room.conftest import patient_link, redeemed  # noqa: F401
from visits.booking.models import Appointment
from visits.room.models import LineMinute

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("relay")]

WORDS = re.compile(r"Sends [\d.]+ [kM]bit/s, receives [\d.]+ [kM]bit/s, [\d.]+ % lost, answers in \d+ ms")
SLOWLY = 45  # seconds; a row is written every fifteen


def test_staff_see_everybodys_line_and_find_it_in_the_record(
    doctor: Page,  # noqa: F811
    rosa: Page,  # noqa: F811
    visit: Appointment,  # noqa: F811
) -> None:
    media.looks(doctor.locator("#tiles video"), "blue")
    lines = doctor.locator("#lines li")
    expect(lines).to_have_count(2)
    expect(lines.locator(".line-who").filter(has_text="Rosa Marín")).to_have_count(1)
    for line in lines.all():
        expect(line).to_contain_text(WORDS, timeout=1000 * SLOWLY)
        expect(line.locator(".line-rate")).to_have_attribute("d", re.compile("^M.*L"))
    assert problems(doctor) == []
    assert rosa.locator("#lines").count() == 0

    told = LineMinute.objects.filter(seconds__gt=3).exclude(browser={})
    poll(doctor, lambda: told.values("seat").distinct().count() == 2)
    doctor.goto(f"/visits/{visit.pk}/")
    part = doctor.locator("section#lines")
    expect(part.get_by_role("heading", name="Rosa Marín")).to_be_visible()
    expect(part.get_by_role("img")).to_have_count(2 * 7)
    part.get_by_text("Minute by minute").first.click()
    expect(part.get_by_role("table").first).to_contain_text("bit/s")
    assert problems(doctor) == []


def problems(page: Page) -> list[str]:
    return [one["id"] for one in Axe().run(page, context="#lines").response["violations"]]
