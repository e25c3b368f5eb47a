"""A visit whose relay node is drained, killed or full, in real browsers: nobody presses anything."""

import subprocess
from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import AccessLink, User
from tests.conftest import staff
from tests.e2e import media, steps
from tests.room.conftest import admit, patient_link, redeemed, start  # noqa: F401
from visits.booking.models import Appointment
from visits.room import nodes, services, watch
from visits.room.models import Encounter, RelayNode, Seat

pytestmark = pytest.mark.e2e

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def visit(visit: Appointment, clinician: User) -> Appointment:
    """Its patient has come and was let in."""
    admit(visit, clinician)
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    return visit


@pytest.fixture
def home(start: Start, visit: Appointment) -> subprocess.Popen[str]:  # noqa: F811
    """The node that has the visit. It is not the only one: that of other browser tests may still be there."""
    known = live_nodes()
    process = start()
    [node] = live_nodes() - known
    Encounter.objects.filter(appointment=visit).update(relay_node=node)
    return process


def live_nodes() -> set[str]:
    steps.behind(watch.look_once)
    return set(RelayNode.objects.filter(state=RelayNode.State.ACTIVE).values_list("pk", flat=True))


@pytest.fixture
def pages(
    person: Callable[..., Page],
    visit: Appointment,
    clinician: User,
    verified: Callable[[User], Client],
    redeemed: Callable[[AccessLink], Client],  # noqa: F811
    patient_link: AccessLink,  # noqa: F811
) -> Callable[[], list[Page]]:
    """``pages()``: doctor and patient see each other."""

    def enter() -> list[Page]:
        opened = [person("doctor", colour="red", tone=400), person("rosa", colour="blue", tone=1000)]
        places = [(verified(clinician), "visits"), (redeemed(patient_link), "my")]
        for page, (session, area) in zip(opened, places, strict=True):
            steps.carry_session(page, session)
            page.goto(f"/{area}/{visit.pk}/room/")
        look(opened)
        return opened

    return enter


def look(pages: list[Page]) -> None:
    doctor, rosa = pages
    media.looks(doctor.locator("#tiles video"), "blue")
    media.looks(rosa.locator("#tiles video"), "red")
    for page in pages:
        media.keeps_moving(page.locator("#tiles video"))
        expect(page.locator("#tiles .tile")).to_have_count(1)


def open_connections(page: Page) -> int:
    return int(page.evaluate("() => window.connections.filter((each) => each.connectionState !== 'closed').length"))


def settled(page: Page, true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("did not come true")


def epochs() -> list[int]:
    return list(Seat.objects.order_by("pk").values_list("epoch", flat=True))


def node_of(visit: Appointment) -> str | None:
    return nodes.node_of(Encounter.objects.get(appointment=visit).pk)


def test_a_drained_visit_moves(
    start: Start,  # noqa: F811
    home: subprocess.Popen[str],
    pages: Callable[[], list[Page]],
    visit: Appointment,
) -> None:
    opened = pages()
    before = epochs()
    first = node_of(visit)
    start()
    settled(opened[0], lambda: RelayNode.objects.filter(state="active").exclude(pk=first).exists())

    node = RelayNode.objects.get(pk=first)
    nodes.drain(node)
    steps.behind(nodes.move_rooms, node=node)
    settled(opened[0], lambda: epochs() == [epoch + 1 for epoch in before])

    look(opened)
    assert node_of(visit) != first
    assert [open_connections(page) for page in opened] == [1, 1]
    for page in opened:
        expect(page.locator("#notice")).to_be_hidden()


def test_a_visit_of_a_killed_node_goes_on_at_another(
    start: Start,  # noqa: F811
    home: subprocess.Popen[str],
    pages: Callable[[], list[Page]],
    visit: Appointment,
) -> None:
    opened = pages()
    first = node_of(visit)
    start()
    settled(opened[0], lambda: RelayNode.objects.filter(state="active").exclude(pk=first).exists())

    home.kill()

    settled(opened[0], lambda: node_of(visit) not in {first, None})
    look(opened)
    assert [open_connections(page) for page in opened] == [1, 1]
    for page in opened:
        expect(page.locator("#notice")).to_be_hidden()
