"""Day, week, month and paper: what stands where, for whom."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Practitioner, User
from accounts.policy import Role
from tests import factories
from tests.calendar.conftest import at, tuesday
from visits.booking.days import value_of
from visits.booking.models import Appointment, Hold
from visits.schedule.models import OpeningHours, ScheduleException, SchedulePolicy

pytestmark = pytest.mark.django_db
Status = Appointment.Status


def tag_with(page: str, words: str) -> str:
    """The whole link or paragraph of the grid that has the words."""
    found = [tag for tag in re.findall(r"<(?:a|p)\b.*?</(?:a|p)>", page, re.DOTALL) if words in re.sub(r"<[^>]+>", "", tag)]
    assert found, f"nothing says {words!r}"
    return str(found[0])


@pytest.fixture
def visit(hours: Practitioner, patient: Any, visit_type: Any) -> Appointment:
    visit_type.colour = "rose"
    visit_type.save()
    return factories.make_visit(hours, patient=patient, visit_type=visit_type, start=at("10:20"))


def test_a_visit_stands_at_its_time_with_its_state_in_words(look: Any, clinician: User, visit: Appointment) -> None:
    page = look(clinician)

    event = tag_with(page, "10:20 Rosa Marín")
    assert 'class="ev ev-booked ty-rose at-1 past-20 for-0 and-20 slim"' in event
    assert f'href="/visits/{visit.pk}/"' in event
    assert "until 10:40 am. Booked." in event
    assert "Follow-up" in event


def test_smoke(look: Any, front_desk: User, visit: Appointment) -> None:
    for view in ("day", "week", "month", "print"):
        for who in ("clinic", str(visit.practitioner_id)):
            assert "Rosa" in look(front_desk, view, who=who) or view == "month"
