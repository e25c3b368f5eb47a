"""A time that is being booked is kept for five minutes, and then for nobody."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils import timezone

from tests import factories
from tests.booking.conftest import TUESDAY, at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment, Hold
from visits.booking.times import times

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def hold(front_desk, hours, visit_type):
    """``hold()``: the front desk holds Tuesday at ten; keywords change one thing."""

    def call(**changes) -> Hold:
        return services.hold(
            **{
                "principal": staff(front_desk),
                "practitioner": hours,
                "visit_type": visit_type,
                "start": at("10:00"),
            }
            | changes
        )

    return call


def expire(held: Hold) -> Hold:
    Hold.objects.filter(pk=held.pk).update(expires_at=timezone.now())
    return held


def free(practitioner, visit_type):
    found = times(practitioner=practitioner, visit_type=visit_type, first_day=TUESDAY, last_day=TUESDAY)
    return [slot.start for slot in found.free]


def test_a_time_is_held_for_five_minutes_and_is_free_for_nobody_else(hold, hours, visit_type, front_desk):
    held = hold()

    assert held.held_by == front_desk
    assert timedelta() < held.expires_at - timezone.now() <= 5 * MINUTE
    assert at("10:00") not in free(hours, visit_type)


def test_who_holds_a_time_books_it_and_holds_it_no_more(hold, book):
    visit = book(hold=hold())

    assert visit.start == at("10:00")
    assert not Hold.objects.exists()


def test_nobody_else_books_or_holds_what_is_held(hold, book, clinician):
    held = hold()

    for taken in (
        lambda: book(principal=staff(clinician)),
        lambda: book(principal=staff(clinician), hold=held),
        lambda: hold(principal=staff(clinician)),
        lambda: hold(principal=None),
    ):
        with pytest.raises(services.SlotTaken):
            taken()
    assert not Appointment.objects.exists()


def test_the_same_hold_sent_twice_is_one(hold):
    assert hold() == hold()
    assert Hold.objects.count() == 1


def test_a_released_time_is_free_again_and_releasing_twice_is_no_error(hold, book):
    held = hold()

    services.release(held)
    services.release(held)

    assert book().status == "booked"


def test_who_booked_another_time_holds_nothing_any_more(hold, book, clinic):
    book(hold=hold(), start=at("11:00"))

    assert book(patient=factories.make_patient(clinic)).start == at("10:00")


def test_what_could_not_be_booked_stays_held(hold, book, clinic):
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1)
    book(practitioner=colleague)
    held = hold()

    with pytest.raises(services.PatientBusy):
        book(hold=held)

    assert Hold.objects.get() == held


def test_an_expired_hold_stands_for_nothing_and_goes_when_somebody_books(hold, book, hours, visit_type, clinician):
    expire(hold())
    assert at("10:00") in free(hours, visit_type)

    book(principal=staff(clinician))

    assert not Hold.objects.exists()


def test_an_expired_hold_goes_when_somebody_holds(hold, clinician):
    old = expire(hold())

    assert hold(principal=staff(clinician)) != old
    assert Hold.objects.count() == 1


def test_with_an_expired_hold_one_books_what_is_still_free_and_not_what_is_gone(hold, book, clinic, clinician):
    book(hold=expire(hold()))
    late = expire(hold(start=at("10:20")))
    book(principal=staff(clinician), patient=factories.make_patient(clinic), start=at("10:20"))

    with pytest.raises(services.SlotTaken):
        book(hold=late, patient=factories.make_patient(clinic), start=at("10:20"))


def test_a_hold_keeps_what_is_kept_free_around_the_visit(hold, book, clinic, clinician):
    long = factories.make_visit_type(clinic, minutes=20, buffer_after=20)
    hold(visit_type=long, start=at("09:40"))

    with pytest.raises(services.SlotTaken):
        book(principal=staff(clinician))
    assert book(principal=staff(clinician), start=at("10:20")).start == at("10:20")


def test_what_cannot_be_booked_cannot_be_held(hold, book):
    with pytest.raises(services.NotAvailable):
        hold(start=at("10:05"))
    book()
    with pytest.raises(services.SlotTaken):
        hold()


def test_what_was_held_within_the_notice_is_booked_after_it(hold, book, visit_type):
    held = hold(principal=None)
    Hold.objects.update(created_at=held.created_at - MINUTE)
    visit_type.booked_by, visit_type.minimum_notice = "patient", (held.start - held.created_at) // MINUTE + 1
    visit_type.save()
    online = {"principal": None, "origin": Appointment.Origin.ONLINE}

    with pytest.raises(services.NotAvailable):
        book(**online, start=at("09:40"))
    assert book(**online, hold=held).created_by is None


@pytest.mark.parametrize(
    "closed", [{"booked_by": "staff"}, {"minimum_notice": 60 * 24 * 30}, {"horizon_days": 1}, {"is_active": False}]
)
def test_what_patients_may_not_book_they_do_not_book_online(book, visit_type, closed):
    for name, value in ({"booked_by": "patient", "minimum_notice": 0} | closed).items():
        setattr(visit_type, name, value)
    visit_type.save()

    with pytest.raises(services.NotAvailable):
        book(principal=None, origin=Appointment.Origin.ONLINE)


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
def test_other_roles_may_not_hold(hold, role, request):
    with pytest.raises(PermissionDenied):
        hold(principal=staff(request.getfixturevalue(role)))


def test_a_stranger_holds_nothing_of_ours(hold, stranger, other_clinic):
    with pytest.raises(Http404):
        hold(principal=staff(stranger))
    with pytest.raises(Http404):
        hold(visit_type=factories.make_visit_type(other_clinic))
    assert not Hold.objects.exists()


def test_a_member_of_staff_holds_one_time_at_most(hold, clinician):
    hold()
    theirs = hold(principal=staff(clinician), start=at("11:00"))
    patients = hold(principal=None, start=at("09:00"))

    latest = hold(start=at("10:20"))

    assert set(Hold.objects.all()) == {theirs, patients, latest}


def test_what_one_holds_oneself_is_never_in_the_way(hold, book):
    hold()

    assert book().start == at("10:00")
    assert not Hold.objects.exists()
