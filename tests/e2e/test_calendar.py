"""The calendar in a browser: moved by mouse, finger and keys; axe on each page, in both schemes; a small phone."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, Route, expect

from accounts.models import Practitioner, User
from tests import factories
from tests.calendar.conftest import TUESDAY, at
from tests.conftest import verify
from tests.e2e import steps
from tests.e2e.test_patient_pages import SMALL, look
from visits.booking.models import Appointment
from visits.schedule.models import ScheduleException

pytestmark = pytest.mark.e2e


@pytest.fixture
def visit(practitioner: Practitioner, patient: Any, visit_type: Any) -> Appointment:
    for weekday in range(5):
        factories.make_hours(practitioner, weekday, "09:00", "12:00")
    ScheduleException.objects.create(
        clinic=practitioner.clinic, practitioner=practitioner, kind="off", first_day=TUESDAY, last_day=TUESDAY,
        start_time="11:40", end_time="12:00", note="Ward round",
    )  # fmt: skip
    return factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=at("10:20"))


def open_week(page: Page, user: User, visit: Appointment) -> str:
    """One's way to the week of the visit; returns the selector of the visit."""
    steps.carry_session(page, verify(Client(), user))
    page.goto(f"/calendar/week/?day={TUESDAY}&who={visit.practitioner_id}")
    return f"#v-{visit.pk}"


def start_of(visit: Appointment) -> Any:
    visit.refresh_from_db()
    return visit.start


def test_a_visit_is_moved_by_mouse_after_the_page_has_said_who_is_told(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee")
    event = open_week(lee, front_desk, visit)
    box = lee.locator(event).bounding_box()
    assert box is not None
    x, y = box["x"] + 40, box["y"] + 8
    lee.mouse.move(x, y)
    lee.mouse.down()
    lee.mouse.move(x + 4, y + 30, steps=3)
    expect(lee.locator("#grid .place").first).to_be_attached()
    lee.mouse.move(x, y + 70, steps=5)  # 40 minutes are 64 px
    expect(lee.locator(".ghost")).to_contain_text("Tuesday, 11:00 am")
    lee.mouse.up()

    dialog = lee.locator("#move")
    expect(dialog.get_by_role("heading", name="Move this visit?")).to_be_focused()
    expect(dialog).to_contain_text("The patient is told at once by e-mail.")
    look(lee)
    assert start_of(visit) == at("10:20")
    dialog.get_by_role("button", name="Move the visit").click()

    expect(lee.locator(f"{event}.at-2")).to_be_focused()
    expect(lee.locator("#calendar .notices")).to_contain_text("Moved to Tue")
    expect(lee.locator("#status")).to_have_text(re.compile("^Moved to Tue[^.]*11:00 am.*Okafor\\.$"))
    assert start_of(visit) == at("11:00")


def test_a_visit_is_moved_by_keys_and_each_step_is_said(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee")
    event = open_week(lee, front_desk, visit)
    status = lee.locator("#status")
    lee.locator(event).focus()
    lee.keyboard.press("ArrowUp")
    expect(lee.locator("#grid a:focus")).to_contain_text("Book 10:00 am")
    lee.keyboard.press("ArrowDown")
    expect(lee.locator(event)).to_be_focused()

    lee.keyboard.press("m")
    expect(status).to_contain_text("Picked up 10:20 Rosa Marín.")
    lee.keyboard.press("ArrowDown")
    expect(status).to_have_text("Tuesday, 10:40 am")
    lee.keyboard.press("ArrowRight")
    expect(status).to_have_text("Wednesday, 10:40 am")
    lee.keyboard.press("Escape")
    expect(status).to_have_text("Not moved. The visit stays where it was.")
    expect(lee.locator(".ghost, .place")).to_have_count(0)

    lee.keyboard.press("m")
    expect(status).to_contain_text("Picked up")
    lee.keyboard.press("ArrowUp")
    lee.keyboard.press("Enter")
    expect(lee.locator("#move")).to_be_visible()
    lee.keyboard.press("Escape")
    expect(lee.locator("#move")).to_be_hidden()
    expect(lee.locator(event)).to_be_focused()
    assert start_of(visit) == at("10:20")

    lee.keyboard.press("Enter")
    expect(lee).to_have_url(re.compile(f"/visits/{visit.pk}/$"))


def test_keys_pressed_before_the_free_times_are_there_count_once_they_are(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee")
    event = open_week(lee, front_desk, visit)
    asked: list[Route] = []
    lee.route("**/places/**", lambda route: asked.append(route))
    lee.locator(event).focus()
    for key in ("m", "ArrowDown", "Enter", "ArrowDown", "Enter"):
        lee.keyboard.press(key)
    while not asked:
        lee.wait_for_timeout(20)
    asked[0].continue_()

    dialog = lee.locator("#move")
    expect(dialog.get_by_role("heading", name="Move this visit?")).to_be_focused()
    expect(dialog.locator("dl")).to_contain_text("10:40 am")
    lee.keyboard.press("Escape")
    expect(lee.locator(event)).to_be_focused()
    assert start_of(visit) == at("10:20")


def test_side_by_side_the_hours_are_at_one_height_and_who_is_moved_to_is_said(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    name = "Dr. Maximiliana Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh"
    second = factories.make_practitioner(visit.clinic, name=name, specialty="Pediatric gastroenterology and nutrition")
    factories.make_hours(second, 1, "09:00", "12:00")
    lee = person("lee", viewport={"width": 820, "height": 800})
    steps.carry_session(lee, verify(Client(), front_desk))
    lee.goto(f"/calendar/day/?day={TUESDAY}&who=clinic")
    tops = lee.locator("#grid .cal-grid").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    assert len(tops) == 3
    assert len(set(tops)) == 1

    lee.locator(f"#v-{visit.pk}").focus()
    lee.keyboard.press("m")
    lee.keyboard.press("ArrowRight")
    expect(lee.locator("#status")).to_have_text(re.compile(f"^Tuesday, [0-9:]+ am, {name}$"))


def test_what_is_taken_meanwhile_is_said_and_another_time_is_one_press_away(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee")
    event = open_week(lee, front_desk, visit)
    lee.locator(event).focus()
    lee.keyboard.press("m")
    expect(lee.locator("#status")).to_contain_text("Picked up")
    lee.keyboard.press("ArrowDown")
    lee.keyboard.press("Enter")
    dialog = lee.locator("#move")
    expect(dialog).to_be_visible()
    factories.make_visit(visit.practitioner, start=at("10:40"), visit_type=visit.visit_type)
    dialog.get_by_role("button", name="Move the visit").click()

    expect(dialog.get_by_role("heading", name="10:40 is taken")).to_be_visible()
    expect(dialog).to_contain_text("The visit stays where it was: Tue")
    look(lee)
    dialog.get_by_role("link", name="Tue 11:00 am").click()
    expect(dialog.locator("dl")).to_contain_text("11:00 am")
    dialog.get_by_role("button", name="Move the visit").click()
    expect(dialog).to_be_hidden()
    assert start_of(visit) == at("11:00")


def test_a_move_is_taken_back_by_one_press_or_by_keys(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee")
    event = open_week(lee, front_desk, visit)
    move_down(lee, event)
    assert start_of(visit) == at("10:40")
    look(lee)

    lee.get_by_role("button", name="Undo").click()
    expect(lee.locator("#status")).to_contain_text("Moved back to Tue")
    expect(lee.locator(event)).to_be_focused()
    assert start_of(visit) == at("10:20")
    expect(lee.get_by_role("button", name="Undo")).to_have_count(0)

    move_down(lee, event)
    lee.keyboard.press("Control+z")
    expect(lee.locator("#status")).to_contain_text("Moved back to Tue")
    assert start_of(visit) == at("10:20")


def test_where_it_cannot_go_back_the_dialog_says_why_and_what_is_free(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee")
    event = open_week(lee, front_desk, visit)
    move_down(lee, event)
    factories.make_visit(visit.practitioner, start=at("10:20"), visit_type=visit.visit_type)

    lee.keyboard.press("Control+z")

    dialog = lee.locator("#move")
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog).to_contain_text("10:20 is taken")
    look(lee)
    lee.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert start_of(visit) == at("10:40")


def move_down(page: Page, event: str) -> None:
    """Move the visit twenty minutes on, by keys."""
    page.locator(event).focus()
    page.keyboard.press("m")
    expect(page.locator("#status")).to_contain_text("Picked up")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#move").get_by_role("button", name="Move the visit").click()
    expect(page.locator("#calendar .notices")).to_contain_text("Moved to Tue")
    expect(page.locator(event)).to_be_focused()


def test_a_long_press_picks_up_where_a_short_one_opens(
    person: Callable[..., Page], front_desk: User, visit: Appointment
) -> None:
    lee = person("lee", has_touch=True)
    event = open_week(lee, front_desk, visit)
    touch = lee.context.new_cdp_session(lee)
    box = lee.locator(event).bounding_box()
    assert box is not None
    point = {"x": box["x"] + 40, "y": box["y"] + 8}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(lee.locator("#grid .place").first).to_be_attached()
    for step in range(1, 8):
        moved = {"x": point["x"], "y": point["y"] + 10 * step}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [moved]})
    expect(lee.locator(".ghost")).to_contain_text("Tuesday, 11:00 am")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(lee.locator("#move")).to_be_visible()
    lee.get_by_role("link", name="Leave it where it is").click()

    lee.locator(event).tap()
    expect(lee).to_have_url(re.compile(f"/visits/{visit.pk}/$"))


def test_a_free_place_leads_to_booking_it(person: Callable[..., Page], front_desk: User, visit: Appointment) -> None:
    lee = person("lee")
    open_week(lee, front_desk, visit)
    lee.locator(f'[data-column^="{TUESDAY}"]').get_by_role("link", name="Book 9:00 am").click()

    expect(lee).to_have_url(re.compile("/book/"))
    expect(lee.locator("input[name=start]:checked + span")).to_have_text("9:00")


@pytest.mark.parametrize("width", [320, 1440])
def test_every_page_in_both_schemes(
    person: Callable[..., Page], front_desk: User, clinician: User, visit: Appointment, width: int
) -> None:
    factories.make_visit(factories.make_practitioner(visit.clinic, name="Dr. Lena Fischer"), start=at("10:20"))
    lee = person("lee", viewport={"width": width, "height": 800})
    open_week(lee, front_desk, visit)
    look(lee)
    for view in ("day", "week", "month", "print"):
        lee.goto(f"/calendar/{view}/?day={TUESDAY}&who=clinic")
        expect(lee.get_by_role("heading", level=1)).to_be_visible()
        look(lee)
    lee.goto("/calendar/time-off/")
    lee.get_by_label("What").select_option("extra")
    lee.get_by_role("button", name="Save").click()
    expect(lee.get_by_role("heading", name="There is a problem")).to_be_visible()
    look(lee)
    amara = person("amara", viewport={"width": width, "height": 800})
    steps.carry_session(amara, verify(Client(), clinician))
    amara.goto("/calendar/feed/")
    look(amara)
    amara.get_by_role("button", name="Make an address").click()
    expect(amara.get_by_label("Your address")).to_have_value(re.compile(r"/calendar/feed/[\w-]{43}\.ics$"))
    look(amara)


def test_on_a_phone_a_day_is_a_list(person: Callable[..., Page], front_desk: User, visit: Appointment) -> None:
    lee = person("lee", **SMALL)
    event = open_week(lee, front_desk, visit)

    expect(lee.locator(event)).to_be_visible()
    expect(lee.get_by_role("link", name="Free from 9:00 am to 10:20 am")).to_be_visible()
    lee.get_by_role("navigation", name="Day").get_by_role("link", name=re.compile("Wed")).click()
    expect(lee.locator(event)).to_be_hidden()
    expect(lee.get_by_text("No visits").locator("visible=true")).to_have_count(1)
