"""Booking: one slot, one patient, once."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404

from accounts.models import AuditEvent, Patient
from tests import factories
from tests.booking.conftest import TUESDAY, at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment
from visits.booking.patients import Details
from visits.booking.signals import appointment_changed
from visits.booking.times import times

pytestmark = pytest.mark.django_db

Status = Appointment.Status


@pytest.fixture
def heard():
    changes = []

    def listen(*, appointment, change, principal, **_):
        changes.append((appointment.pk, change, principal))

    appointment_changed.connect(listen)
    yield changes
    appointment_changed.disconnect(listen)


def test_a_slot_is_booked_recorded_and_announced(book, heard, front_desk, patient):
    visit = book()

    assert (visit.start, visit.end) == (at("10:00"), at("10:00") + timedelta(minutes=20))
    assert (visit.status, visit.created_by) == (Status.BOOKED, front_desk)
    event = AuditEvent.objects.get(subtype="appointment.book")
    assert (event.entity_id, event.patient, event.user) == (str(visit.pk), patient, front_desk)
    assert heard == [(visit.pk, "booked", staff(front_desk))]
    change = visit.changes.get()
    assert (change.change, change.by, change.role, change.start) == ("booked", front_desk, "front_desk", visit.start)


def test_a_clinician_may_book_too(book, clinician):
    assert book(principal=staff(clinician)).created_by == clinician


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
def test_other_roles_may_not_book(book, role, request):
    with pytest.raises(PermissionDenied):
        book(principal=staff(request.getfixturevalue(role)))


def test_a_stranger_cannot_book_with_our_clinician(book, stranger):
    with pytest.raises(Http404):
        book(principal=staff(stranger))


def test_nobody_can_book_with_what_belongs_to_another_clinic(book, other_clinic):
    for theirs in (
        {"practitioner": factories.make_practitioner(other_clinic)},
        {"patient": factories.make_patient(other_clinic)},
        {"visit_type": factories.make_visit_type(other_clinic)},
    ):
        with pytest.raises(Http404):
            book(**theirs)
    assert not Appointment.objects.exists()


def test_a_taken_slot_names_the_nearest_free_ones_before_and_after(book, clinic):
    book()

    with pytest.raises(services.SlotTaken) as refusal:
        book(patient=factories.make_patient(clinic))

    minutes = [(slot.start - at("10:00")) / timedelta(minutes=1) for slot in refusal.value.nearest]
    assert minutes == [-20, 20, 40]


def test_a_patient_who_is_elsewhere_then_is_busy(book, clinic, visit_type):
    colleague = factories.make_practitioner(clinic)
    factories.make_hours(colleague, 1)
    elsewhere = book(practitioner=colleague)

    with pytest.raises(services.PatientBusy) as refusal:
        book()

    assert refusal.value.visit == elsewhere


@pytest.mark.parametrize(
    ("days", "clock"),
    [
        pytest.param(0, "10:05", id="between two slots"),
        pytest.param(0, "12:00", id="hours are over"),
        pytest.param(4, "10:00", id="Saturday"),
        pytest.param(-14, "10:00", id="past"),
    ],
)
def test_what_is_no_slot_of_the_clinician_cannot_be_booked(book, days, clock):
    with pytest.raises(services.NotAvailable):
        book(start=at(clock, TUESDAY + timedelta(days=days)))
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("what", ["practitioner", "visit_type"])
def test_what_is_no_longer_offered_cannot_be_booked(book, what, request):
    ended = request.getfixturevalue(what)
    ended.is_active = False
    ended.save()

    with pytest.raises(services.NotAvailable):
        book()


def test_times_that_are_past_are_not_shown_and_those_taken_are(book, practitioner, visit_type):
    book()

    shown = times(
        practitioner=practitioner, visit_type=visit_type, first_day=TUESDAY, last_day=TUESDAY, now=at("09:41")
    )

    assert [slot.start for slot in shown.all] == [at(f"{h}:{m:02}") for h in (10, 11) for m in (0, 20, 40)]
    assert [slot.start for slot in shown.free] == [slot.start for slot in shown.all[1:]]


def test_the_same_booking_sent_twice_is_one_visit(book, heard):
    assert book() == book()

    assert Appointment.objects.count() == 1
    assert len(heard) == 1


def test_the_same_booking_by_somebody_else_is_taken(book, clinician):
    book()

    with pytest.raises(services.SlotTaken):
        book(principal=staff(clinician))


def test_when_a_listener_fails_nothing_is_booked(book):
    def fail(**_):
        raise RuntimeError

    appointment_changed.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            book()
    finally:
        appointment_changed.disconnect(fail)

    assert not Appointment.objects.exists()
    assert not AuditEvent.objects.filter(subtype="appointment.book").exists()


# --- a new patient ----------------------------------------------------------------------------

NEW = Details(given_name="Halima", family_name="Yusuf", birth_date=date(1985, 4, 30), phone="(555) 010-0119")


@pytest.fixture
def book_new(front_desk, practitioner, visit_type, hours):
    def call(**changes):
        return services.book_new_patient(
            **{
                "principal": staff(front_desk),
                "practitioner": practitioner,
                "visit_type": visit_type,
                "start": at("10:00"),
                "details": NEW,
            }
            | changes
        )

    return call


def test_a_new_patient_is_added_with_the_booking(book_new, clinic):
    visit = book_new()

    assert visit.patient.full_name == "Halima Yusuf"
    assert visit.patient.clinic == clinic
    assert AuditEvent.objects.get(subtype="patient.add").patient == visit.patient


def test_a_new_patient_sent_twice_is_one_patient_and_one_visit(book_new):
    assert book_new() == book_new()
    assert Patient.objects.count() == 1


def test_when_the_slot_is_taken_the_new_patient_is_not_added(book, book_new):
    book()

    with pytest.raises(services.SlotTaken):
        book_new()

    assert not Patient.objects.filter(given_name="Halima").exists()


def test_a_known_patient_is_pointed_out_before_a_second_one_is_made(book_new, clinic):
    known = factories.make_patient(clinic, given_name="HALIMA", family_name="Yúsuf", birth_date=NEW.birth_date)
    with pytest.raises(services.AlreadyKnown) as refusal:
        book_new()
    assert refusal.value.patients == [known]

    book_new(despite_same=True)

    assert Patient.objects.filter(birth_date=NEW.birth_date).count() == 2


def test_a_patient_of_another_clinic_is_not_known_here(book_new, other_clinic):
    factories.make_patient(other_clinic, given_name="Halima", family_name="Yusuf", birth_date=NEW.birth_date)

    book_new()


# --- the database's own refusal -----------------------------------------------------------------


@pytest.fixture
def others(clinic, practitioner, patient):
    """Whom the second visit shares with the first: the clinician, or the patient."""
    return {
        "practitioner": {"practitioner": practitioner},
        "patient": {"patient": patient, "practitioner": factories.make_practitioner(clinic)},
    }


@pytest.mark.parametrize("shared", ["practitioner", "patient"])
@pytest.mark.parametrize("minutes", [-19, 0, 10, 19])
def test_the_database_refuses_a_second_visit_that_overlaps(visit, others, shared, minutes):
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.make_visit(**others[shared], start=visit.start + timedelta(minutes=minutes))


@pytest.mark.parametrize("shared", ["practitioner", "patient"])
@pytest.mark.parametrize("minutes", [-20, 20])
def test_visits_may_touch(visit, others, shared, minutes):
    factories.make_visit(**others[shared], start=visit.start + timedelta(minutes=minutes))


@pytest.mark.parametrize("shared", ["practitioner", "patient"])
def test_the_database_refuses_to_move_a_visit_onto_another(visit, others, shared):
    later = factories.make_visit(**others[shared], start=visit.end)

    with pytest.raises(IntegrityError), transaction.atomic():
        Appointment.objects.filter(pk=later.pk).update(start=visit.start, busy_start=visit.busy_start)


@pytest.mark.parametrize("shared", ["practitioner", "patient"])
def test_the_database_refuses_to_revive_a_visit_whose_time_was_given_away(visit, others, shared):
    gone = factories.make_visit(**others[shared], start=visit.start, status=Status.NOSHOW)

    with pytest.raises(IntegrityError), transaction.atomic():
        Appointment.objects.filter(pk=gone.pk).update(status=Status.ARRIVED)


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.NOSHOW])
def test_a_visit_that_is_off_takes_no_time(visit, practitioner, status):
    Appointment.objects.filter(pk=visit.pk).update(status=status)

    factories.make_visit(practitioner, start=visit.start)
