"""The patient's waiting page and the Today board, in two browsers."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, WebSocketRoute, expect

from accounts.models import User
from tests import factories
from tests.conftest import staff, verify
from tests.e2e import steps
from tests.e2e.conftest import note
from tests.party import bearer, browser, make_link
from tests.waiting.conftest import make_ready
from visits.booking.models import Appointment
from visits.waiting import services

pytestmark = pytest.mark.e2e

LOOSE_SECONDS = 3


@pytest.fixture
def visit(practitioner: Any, patient: Any, visit_type: Any) -> Appointment:
    start = timezone.now() + timedelta(minutes=5)
    visit = factories.make_visit(practitioner, patient=patient, visit_type=visit_type, start=start)
    make_ready(visit)
    return visit


def as_(page: Page, client: Client) -> Page:
    steps.carry_session(page, client)
    return page


def without_socket(page: Page, address: str) -> Callable[[], None]:
    """From now on the page's socket closes as soon as it opens; what is returned waits until one has."""
    closed: list[WebSocketRoute] = []

    def close(socket: WebSocketRoute) -> None:
        socket.close(code=1011)
        closed.append(socket)

    def wait() -> None:
        while not closed:
            page.wait_for_timeout(20)  # by the clock on the wall, as tickets are fetched

    page.route_web_socket(address, close)
    return wait


@pytest.fixture
def board(person: Callable[..., Page], clinician: User) -> Page:
    page = as_(person("doctor"), verify(Client(), clinician))
    page.goto("/today/")
    page.wait_for_load_state("networkidle")
    return page


@pytest.fixture
def rosa(person: Callable[..., Page], visit: Appointment) -> Page:
    return as_(person("rosa"), browser(make_link(visit)))


def test_arrival_and_call_are_seen_within_a_second_without_reload(board, rosa, visit, record_property):
    board.evaluate("() => (window.sameDocument = true)")
    expect(board.get_by_text("Nobody is waiting.")).to_be_visible()

    start = time.monotonic()
    rosa.goto(f"/my/{visit.pk}/waiting/", wait_until="commit")
    board.get_by_role("button", name="Admit Rosa Marín").wait_for()
    arrival = time.monotonic() - start
    expect(board).to_have_title("(1) Rosa arrived")
    expect(board.get_by_role("status").filter(has_text="Rosa Marín has arrived for")).to_have_count(1)
    expect(board.locator(".q-arrived")).to_contain_text("arrived just now")
    expect(rosa.get_by_role("heading", level=1)).to_have_text("You are next")
    assert board.evaluate("() => window.sameDocument")

    rosa.evaluate("() => (window.sameDocument = true)")
    start = time.monotonic()
    board.get_by_role("button", name="Admit Rosa Marín").click(no_wait_after=True)
    rosa.get_by_role("link", name="Join the visit").wait_for()
    call = time.monotonic() - start
    expect(rosa).to_have_title("It is time - Riverside Family Clinic")
    expect(rosa.get_by_role("alert")).to_have_text("Dr. Amara Okafor is ready for you.")
    assert rosa.evaluate("() => window.sameDocument")

    note(f"arrival to board {arrival:.3f} s, admit to patient {call:.3f} s")
    record_property("arrival_seconds", round(arrival, 3))
    record_property("call_seconds", round(call, 3))
    assert arrival < LOOSE_SECONDS
    assert call < LOOSE_SECONDS


def test_the_place_survives_reload_and_another_device(board, rosa, visit, person):
    rosa.goto(f"/my/{visit.pk}/waiting/")
    rosa.reload()
    phone = as_(person("phone"), browser(make_link(visit)))
    phone.goto(f"/my/{visit.pk}/waiting/")

    for page in (rosa, phone):
        expect(page.get_by_role("heading", level=1)).to_have_text("You are next")
    expect(board.locator("#queue > li")).to_have_count(1)


def test_a_row_never_jumps_under_the_pointer(board, rosa, visit, person, practitioner):
    june = factories.make_patient(visit.clinic, given_name="June", family_name="Albrecht")
    before = factories.make_visit(practitioner, patient=june, start=timezone.now() - timedelta(minutes=20))
    make_ready(before)
    rosa.goto(f"/my/{visit.pk}/waiting/")
    admit = board.get_by_role("button", name="Admit Rosa Marín")
    admit.hover()
    top = admit.bounding_box()["y"]

    other = as_(person("other"), browser(make_link(before)))
    other.goto(f"/my/{before.pk}/waiting/")
    expect(board.locator("#queue > li")).to_have_count(2)

    assert admit.bounding_box()["y"] == top
    expect(board.locator("main .btn-1")).to_have_count(1)
    # Left alone, the list takes its order.
    expect(board.locator("#queue > li").first).to_contain_text("June Albrecht", timeout=15_000)


def test_the_keyboard_goes_along_with_the_row(board, rosa, visit, clinician):
    rosa.goto(f"/my/{visit.pk}/waiting/")
    board.get_by_role("button", name="Admit Rosa Marín").focus()
    steps.behind(services.admit, principal=staff(clinician), visit=visit)

    expect(board.get_by_role("link", name="Join Rosa Marín")).to_be_visible()
    assert board.evaluate("() => document.activeElement.closest('li')?.id") == f"v-{visit.pk}"


def test_the_keyboard_stays_on_a_row_that_is_drawn_anew(board, rosa, visit):
    rosa.goto(f"/my/{visit.pk}/waiting/")
    more = board.get_by_label("More for Rosa Marín")
    more.focus()
    more.evaluate("(summary) => (summary.closest('#board').dataset.old = 'yes')")
    steps.behind(make_link, visit=visit, guest="Ines")
    expect(board.get_by_text("Interpreter joins")).to_be_visible()

    assert board.evaluate("() => document.querySelector('#board').dataset.old") is None
    expect(more).to_be_focused()


def test_a_menu_left_open_does_not_hold_the_board_for_ever(board, rosa, visit, clinician):
    board.clock.install()
    board.reload()
    rosa.goto(f"/my/{visit.pk}/waiting/")
    board.clock.run_for(2000)
    board.get_by_label("More for Rosa Marín").click()
    steps.behind(services.admit, principal=staff(clinician), visit=visit)
    board.wait_for_timeout(1000)
    board.clock.run_for(10_000)
    expect(board.get_by_role("button", name="Mark as missed Rosa Marín")).to_be_visible()
    board.clock.run_for(30_000)

    expect(board.get_by_role("link", name="Join Rosa Marín")).to_be_visible()


def test_a_server_in_trouble_takes_the_page_from_nobody(rosa, visit, clinician):
    troubles = []

    def trouble(route: Any) -> None:
        troubles.append(route)
        route.fulfill(status=502, body="Bad Gateway")

    rosa.goto(f"/my/{visit.pk}/waiting/")
    rosa.wait_for_load_state("networkidle")
    rosa.route("**/waiting/?panel=1", trouble, times=2)
    steps.behind(services.admit, principal=staff(clinician), visit=visit)

    expect(rosa.get_by_role("link", name="Join the visit")).to_be_visible()
    assert len(troubles) == 2


def test_an_answer_that_was_overtaken_is_not_shown(rosa, visit, clinician):
    rosa.goto(f"/my/{visit.pk}/waiting/")
    rosa.wait_for_load_state("networkidle")
    slow = """() => {
      const ask = fetch, waits = [1500, 0];
      window.fetch = async (...what) => {
        const answer = await ask(...what), text = await answer.text();
        await new Promise((done) => setTimeout(done, waits.shift() ?? 0));
        window.answered = (window.answered ?? 0) + 1;
        return {ok: true, status: 200, redirected: false, text: async () => text};
      };
    }"""
    rosa.evaluate(slow)
    before = factories.make_visit(visit.practitioner, start=timezone.now() - timedelta(minutes=20))
    steps.behind(make_ready, visit=before)
    steps.behind(services.arrive, principal=bearer(make_link(before)), visit=before)
    rosa.wait_for_timeout(500)
    steps.behind(services.admit, principal=staff(clinician), visit=visit)
    rosa.wait_for_function("() => window.answered === 2")

    expect(rosa.get_by_role("link", name="Join the visit")).to_be_visible()


def test_the_call_is_heard_while_the_devices_are_checked_again(rosa, visit, clinician):
    rosa.goto(f"/my/{visit.pk}/waiting/")
    rosa.get_by_text("Check my camera and sound again").click()
    rosa.get_by_role("link", name="Open the check").click()
    rosa.wait_for_load_state("networkidle")
    steps.behind(services.admit, principal=staff(clinician), visit=visit)

    expect(rosa.get_by_text("Dr. Amara Okafor is ready for you")).to_be_visible()
    rosa.get_by_role("link", name="Go on").click()
    expect(rosa.get_by_role("link", name="Join the visit")).to_be_visible()


def test_without_a_socket_the_page_asks_by_itself(rosa, visit, clinician):
    rosa.clock.install()
    is_closed = without_socket(rosa, "**/waiting/")
    rosa.goto(f"/my/{visit.pk}/waiting/")
    is_closed()
    rosa.clock.run_for(4000)
    expect(rosa.get_by_text("You lost the connection. Joining again, stay here.")).to_be_visible()
    steps.behind(services.admit, principal=staff(clinician), visit=visit)
    rosa.clock.run_for(11_000)

    expect(rosa.get_by_role("link", name="Join the visit")).to_be_visible()


def test_a_moment_is_told_to_the_clinician(board, rosa, visit):
    rosa.goto(f"/my/{visit.pk}/waiting/")
    board.get_by_role("button", name="Admit Rosa Marín").click()
    rosa.get_by_role("button", name="I need a moment").click()
    expect(rosa.get_by_text("knows that you need a moment")).to_be_visible()

    board.goto("/today/")
    expect(board.get_by_text("Needs a moment")).to_be_visible()


def test_a_board_that_lost_its_line_says_so_and_comes_back(board):
    board.clock.install()
    is_closed = without_socket(board, "**/ws/board/")
    board.reload()
    is_closed()
    board.clock.run_for(6000)
    expect(board.get_by_text("Not up to date since")).to_be_visible()
    expect(board.get_by_role("link", name="Update now")).to_be_visible()


def test_without_script_the_page_offers_to_update(person, visit):
    page = as_(person("rosa", java_script_enabled=False), browser(make_link(visit)))
    page.goto(f"/my/{visit.pk}/waiting/")
    page.get_by_role("link", name="Update now").first.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("You are next")
