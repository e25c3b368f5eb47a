"""A visit whose patient has come and was let in, and a relay that is really there."""

import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AccessLink, Patient, User
from accounts.principal import Principal
from telehealth.embedded import stop
from tests.conftest import staff
from tests.party import bearer, browser, make_link
from tests.room.relay_process import start_relay
from tests.room.sockets import Page
from tests.room.tabs import stopped
from visits.booking.models import Appointment
from visits.relay.client import RelayClient
from visits.room import presence, services
from visits.room.media import make_client
from visits.room.models import Encounter, Seat
from visits.waiting.models import Ticket


@pytest.fixture
def patient_link(visit: Appointment) -> AccessLink:
    return make_link(visit)


@pytest.fixture
def as_patient(patient_link: AccessLink) -> Principal:
    return bearer(patient_link)


@pytest.fixture
def as_clinician(clinician: User) -> Principal:
    return staff(clinician)


@pytest.fixture
def admitted(visit: Appointment, clinician: User) -> Appointment:
    """The visit after the patient came and the clinician let them in."""
    admit(visit, clinician)
    return visit


@pytest.fixture
def encounter(admitted: Appointment, as_clinician: Principal) -> Encounter:
    return services.open_encounter(principal=as_clinician, visit=admitted)


def admit(visit: Appointment, user: User) -> None:
    visit.status = Appointment.Status.ARRIVED
    visit.save(update_fields=["status"])
    Ticket.objects.create(appointment=visit, admitted_at=timezone.now(), admitted_by=user)


def enter(principal: Principal, visit: Appointment, **wishes: bool) -> Seat:
    """The person takes their seat, by a socket that was opened just now."""
    wishes = {"audio": True, "video": True, "e2ee": True} | wishes
    return services.enter(principal=principal, visit=visit, opened_at=services.opening_time(visit), **wishes)


def be_here(principal: Principal, visit: Appointment) -> Seat:
    """The person is in the call, and their media flow."""
    seat = enter(principal, visit)
    presence.connected(seat=seat.pk, epoch=seat.epoch)
    return seat


@pytest.fixture
def redeemed() -> Callable[[AccessLink], Client]:
    """``redeemed(link)``: a test client whose browser has redeemed the link."""
    return browser


@pytest.fixture
def other_patient(clinic: Any) -> Patient:
    from tests import factories

    return factories.make_patient(clinic)


_shared: list[subprocess.Popen[str]] = []  # the relay that most tests share, once one of them has started it


@pytest.fixture(scope="session")
def relay() -> Iterator[subprocess.Popen[str]]:
    """A relay process of its own, ready; it soon misses who is silent."""
    process = start_relay("away_after=1,gone_after=2,connect_within=4")
    _shared.append(process)
    yield process
    _shared.remove(process)
    stop(process)


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``start(limits="")``: one more relay node; all end with the test. The one that tests share sleeps meanwhile."""
    running: list[subprocess.Popen[str]] = []

    def one(limits: str = "") -> subprocess.Popen[str]:
        running.append(start_relay(limits))
        return running[-1]

    with contextlib.ExitStack() as asleep:
        for process in _shared:
            asleep.enter_context(stopped(process))
        yield one
        for process in running:
            stop(process)


@pytest.fixture
async def client(start: object) -> AsyncIterator[RelayClient]:
    """The web side's door to the nodes that ``start`` starts, and to no others."""
    client = make_client()
    await client._redis.delete("relay:pulses")  # of nodes that other tests have left
    yield client
    await client.aclose()


@pytest.fixture
def staff_page(verified: Callable[[User], Client], clinician: User, visit: Appointment) -> Callable[[], Page]:
    client = verified(clinician)
    return lambda: Page(client, f"/ws/visits/{visit.pk}/room/", name="clinician")


@pytest.fixture
def patient_page(
    redeemed: Callable[[AccessLink], Client], patient_link: AccessLink, visit: Appointment
) -> Callable[[], Page]:
    client = redeemed(patient_link)
    return lambda: Page(client, f"/ws/my/{visit.pk}/room/", name="patient")


@pytest.fixture
def guest_page(redeemed: Callable[[AccessLink], Client], visit: Appointment) -> Callable[[], Page]:
    client = redeemed(make_link(visit, guest="Ana Ruiz"))
    return lambda: Page(client, f"/ws/my/{visit.pk}/room/", name="guest")
