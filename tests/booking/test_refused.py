"""What the database refuses of times, whoever writes: these rows go around the services."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.keys.fields import columns
from tests import factories
from visits.booking.models import Appointment, AppointmentChange

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def buffered(clinic):
    return factories.make_visit_type(clinic, minutes=20, buffer_before=5, buffer_after=10)


def refused(make, *args, **kwargs) -> bool:
    try:
        with transaction.atomic():
            make(*args, **kwargs)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize(("minutes", "is_refused"), [(-25, False), (-24, True), (0, True), (29, True), (30, False)])
def test_visits_keep_their_distance(practitioner, visit_type, buffered, minutes, is_refused):
    visit = factories.make_visit(practitioner, visit_type=buffered)
    start = visit.start + minutes * MINUTE

    assert refused(factories.make_visit, practitioner, visit_type=visit_type, start=start) == is_refused


@pytest.mark.parametrize(("minutes", "is_refused"), [(-25, False), (-24, True), (29, True), (30, False)])
def test_a_visit_over_a_hold_and_a_hold_over_a_visit(practitioner, visit_type, buffered, minutes, is_refused):
    visit = factories.make_visit(practitioner, visit_type=buffered)
    start = visit.start + minutes * MINUTE
    assert refused(factories.make_hold, practitioner, visit_type, start) == is_refused

    held = factories.make_hold(factories.make_practitioner(practitioner.clinic), buffered, visit.start)
    start = held.start + minutes * MINUTE
    assert refused(factories.make_visit, held.practitioner, visit_type=visit_type, start=start) == is_refused


def test_a_hold_over_a_hold_even_of_one_that_expired(practitioner, visit_type, visit):
    held = factories.make_hold(practitioner, visit_type, visit.end, expires_at=timezone.now() - MINUTE)

    assert refused(factories.make_hold, practitioner, visit_type, held.start + 19 * MINUTE)
    factories.make_hold(practitioner, visit_type, held.end)
    factories.make_hold(factories.make_practitioner(practitioner.clinic), visit_type, held.start)


def test_a_hold_takes_nothing_from_a_visit_that_is_off(practitioner, visit_type, visit):
    Appointment.objects.update(status=Appointment.Status.NOSHOW)
    held = factories.make_hold(practitioner, visit_type, visit.start)

    assert refused(Appointment.objects.update, status=Appointment.Status.ARRIVED)
    held.delete()
    Appointment.objects.update(status=Appointment.Status.ARRIVED)


def test_moving_a_visit_onto_a_hold_and_a_hold_onto_a_visit(practitioner, visit_type, visit):
    held = factories.make_hold(practitioner, visit_type, visit.end)
    visit.start, visit.end = held.start, held.end
    assert refused(visit.save)

    visit.refresh_from_db()
    held.start, held.end = visit.start, visit.end
    assert refused(held.save)


def test_less_than_the_visit_itself_cannot_be_kept_free(visit):
    assert refused(Appointment.objects.update, busy_start=visit.start + MINUTE)
    assert refused(Appointment.objects.update, busy_end=visit.end - MINUTE)


def test_what_was_noted_of_a_visit_stays(visit):
    change = AppointmentChange.objects.create(
        appointment=visit, change="booked", revision=0, start=visit.start, practitioner=visit.practitioner
    )
    change.reason = "never mind"

    assert refused(AppointmentChange.objects.update, **columns(change, "reason"))
    assert refused(AppointmentChange.objects.update, revision=7)
    assert refused(AppointmentChange.objects.all()._raw_delete, "default")
