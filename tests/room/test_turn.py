"""Who is handed credentials of the TURN server, and what they say."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from django.utils import timezone

from accounts.models import AccessLink, User
from accounts.principal import Principal
from tests.conftest import staff
from tests.party import bearer, make_link
from tests.room.sockets import Page
from visits.booking.models import Appointment
from visits.room import guests, turn
from visits.room.models import Encounter

URLS = ["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:443?transport=tcp"]
SECRET = "the secret of the clinic's own TURN server"


@pytest.fixture
def coturn(settings: Any) -> None:
    settings.TURN_URLS, settings.TURN_SECRET = URLS, SECRET


def test_a_password_is_what_coturn_expects(coturn: None, encounter: Encounter, as_patient: Any) -> None:
    [server] = turn.servers_for(as_patient, encounter.appointment)

    assert server["urls"] == URLS
    digest = hmac.new(SECRET.encode(), server["username"].encode(), hashlib.sha1).digest()
    assert base64.b64decode(server["credential"]) == digest
    expires, _, seat = server["username"].partition(":")
    assert 0 < int(expires) - time.time() <= 12 * 3600
    assert len(seat) == 24


def test_everybody_has_a_seat_of_their_own_that_names_nobody(
    coturn: None, encounter: Encounter, as_patient: Any, as_clinician: Any
) -> None:
    visit = encounter.appointment
    guest = bearer(make_link(visit, guest="Ana Ruiz"))

    names = [turn.servers_for(who, visit)[0]["username"].partition(":")[2] for who in (as_patient, as_clinician, guest)]

    assert len(set(names)) == 3
    for known in (visit.pk, encounter.pk, as_clinician.user.pk, as_patient.link.pk):
        assert all(str(known) not in name for name in names)


def test_who_may_not_be_in_the_call_gets_none(
    coturn: None, visit: Appointment, front_desk: User, patient_link: AccessLink
) -> None:
    assert turn.servers_for(bearer(patient_link), visit) == []  # not let in yet
    assert turn.servers_for(staff(front_desk), visit) == []


def test_without_a_server_there_is_nothing_to_hand_out(encounter: Encounter, as_patient: Any) -> None:
    assert turn.servers_for(as_patient, encounter.appointment) == []


def lifetime(principal: Principal, visit: Appointment) -> timedelta:
    expires = turn.servers_for(principal, visit)[0]["username"].partition(":")[0]
    return datetime.fromtimestamp(int(expires), UTC) - timezone.now()


def test_a_password_ends_with_the_link_at_the_latest(coturn: None, encounter: Encounter) -> None:
    guest = make_link(encounter.appointment, guest="Ana Ruiz")
    guest.expires_at = timezone.now() + timedelta(minutes=5)
    guest.save()

    assert timedelta(0) < lifetime(bearer(guest), encounter.appointment) <= timedelta(minutes=5)


@pytest.mark.parametrize("who", ["as_clinician", "as_patient"])
def test_a_password_is_good_for_as_long_as_the_visit_may_run_late(
    coturn: None, encounter: Encounter, who: str, request: pytest.FixtureRequest
) -> None:
    principal, visit, minute = request.getfixturevalue(who), encounter.appointment, timedelta(minutes=1)
    visit.end = timezone.now() + timedelta(hours=1)
    assert guests.VALID_AFTER_END < lifetime(principal, visit) <= timedelta(hours=1) + guests.VALID_AFTER_END
    visit.end = timezone.now() - timedelta(hours=3)  # it goes on all the same
    assert guests.VALID_AFTER_END - minute < lifetime(principal, visit) <= guests.VALID_AFTER_END


def test_a_clinician_who_looks_in_days_before_gets_none_for_days(
    coturn: None, encounter: Encounter, as_clinician: Principal
) -> None:
    encounter.appointment.end = timezone.now() + timedelta(days=7)

    assert lifetime(as_clinician, encounter.appointment) <= timedelta(hours=12)


@pytest.mark.django_db(transaction=True)
async def test_the_welcome_brings_them(
    coturn: None, encounter: Encounter, patient_link: AccessLink, redeemed: Callable[[AccessLink], Client]
) -> None:
    client = await database_sync_to_async(redeemed)(patient_link)

    async with Page(client, f"/ws/my/{encounter.appointment_id}/room/") as page:
        welcome = await page.next()

    assert welcome is not None
    assert [server["urls"] for server in welcome["ice_servers"]] == [URLS]
