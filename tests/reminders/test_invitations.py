"""Calendar files: whichever arrives last, the newest holds; and two readers read the same instants."""

from datetime import UTC, timedelta
from itertools import permutations
from typing import Any

import pytest
import vobject
from django.utils import timezone
from icalendar import Calendar

from accounts.models import Clinic
from tests import factories
from tests.reminders.conftest import announce, cancel, move
from visits.booking.models import Appointment
from visits.reminders import services

Event = dict[str, Any]


def files(visit: Appointment, mail_server) -> list[bytes]:
    """The invitation, its update, its cancellation, as they were mailed."""
    announce(visit, "booked")
    services.send_due()
    move(visit, visit.start + timedelta(days=1, minutes=30))
    services.send_due()
    cancel(visit)
    services.send_due()
    return [part.get_payload(decode=True) for mail in mail_server.arrived for part in mail.iter_attachments()]


def take(held: Event | None, file: bytes) -> Event | None:
    """What a calendar does with a scheduling message (RFC 5546 §2.1.5): only a higher SEQUENCE changes anything."""
    calendar = Calendar.from_ical(file.decode())
    [event] = calendar.walk("VEVENT")
    new = {
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        "start": event["DTSTART"].dt,
        "is_on": str(calendar["METHOD"]) == "REQUEST",
    }
    if held is not None:
        assert held["uid"] == new["uid"]
    return new if held is None or new["sequence"] > held["sequence"] else held


def test_invitation_update_and_cancellation_in_any_order_end_the_same(visit, mail_server):
    mailed = files(visit, mail_server)
    assert len(mailed) == 3

    ends = set()
    for order in permutations(mailed):
        held = None
        for file in (*order, order[0]):  # and one of them twice
            held = take(held, file)
        assert held is not None
        ends.add((held["sequence"], held["is_on"], held["start"]))
    assert ends == {(2, False, visit.start)}


@pytest.mark.parametrize("zone", ["America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"])
def test_two_readers_see_the_same_instants(clinic, practitioner, mail_server, policy, zone):
    Clinic.objects.filter(pk=clinic.pk).update(time_zone=zone)
    practitioner.refresh_from_db()
    start = timezone.now().replace(second=0, microsecond=0) + timedelta(days=3)
    visit = factories.make_visit(practitioner, start=start)

    for file in files(visit, mail_server):
        [event] = Calendar.from_ical(file.decode()).walk("VEVENT")
        other = vobject.readOne(file.decode())
        assert other.vevent.dtstart.value.astimezone(UTC) == event["DTSTART"].dt
        assert other.vevent.dtend.value.astimezone(UTC) == event["DTEND"].dt
        assert other.vevent.uid.value == str(event["UID"])
        assert int(other.vevent.sequence.value) == event["SEQUENCE"]
        assert other.method.value in {"REQUEST", "CANCEL"}
        other.validate()


def test_the_update_names_both_times_and_both_zones(visit, mail_server):
    visit.patient.time_zone = "Asia/Kathmandu"
    visit.patient.save()
    files(visit, mail_server)
    text = mail_server.arrived[1].get_body(("plain",)).get_content()

    assert "Your visit has a new time" in mail_server.arrived[1]["Subject"]
    assert 0 < text.index("It is now:") < text.index("20 minutes with") < text.index("Before:")
    assert "Central Time" in text
    assert "Nepal Time" in text
