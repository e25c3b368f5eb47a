"""Columns of which few values differ."""

import pytest

from accounts.models import Practitioner
from tests import factories
from tests.calendar.conftest import at
from visits.booking.models import Appointment
from visits.calendar.once import Made, Once
from visits.schedule.models import VisitType

pytestmark = pytest.mark.django_db


def test_a_value_that_rows_share_is_the_one_that_the_model_has_and_is_made_once(
    hours: Practitioner, visit_type: VisitType
) -> None:
    for clock in ("09:00", "10:00"):
        factories.make_visit(hours, start=at(clock), visit_type=visit_type)
    asked = []

    def name(pk: object) -> str:
        asked.append(pk)
        return hours.name

    rows = Appointment.objects.order_by("start").values_list(
        Once("start"), Once("practitioner"), Once("practitioner", name), Once("series")
    )

    assert list(rows) == [(at(clock), hours.pk, hours.name, None) for clock in ("09:00", "10:00")]
    assert asked == [hours.pk]


def test_what_is_asked_for_again_is_not_made_again() -> None:
    made = Made(lambda key: [key])

    assert made["a"] is made["a"]
    assert made["b"] == ["b"]
