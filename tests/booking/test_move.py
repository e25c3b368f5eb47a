"""Moving a visit: by staff to anything to come, by patients within the clinic's notice."""

import uuid
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404
from django.utils import timezone

from accounts.models import AccessLink, AuditEvent
from accounts.policy import Role
from accounts.principal import Principal
from tests import factories
from tests.booking.conftest import TUESDAY, at
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment, AppointmentChange, Hold
from visits.booking.signals import appointment_changed
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.django_db

Status = Appointment.Status
WEEK = timedelta(days=7)


@pytest.fixture
def colleague(clinic):
    one = factories.make_practitioner(clinic, name="Dr. Fischer")
    factories.make_hours(one, 1)
    return one


@pytest.fixture
def desk(front_desk) -> Principal:
    return staff(front_desk)


def bearer(visit: Appointment, role: Role = Role.PATIENT) -> Principal:
    """Who holds a link to the visit."""
    link = AccessLink.objects.create(
        token_hash=uuid.uuid4().hex,
        kind=role.value,
        clinic=visit.clinic,
        patient=visit.patient if role == Role.PATIENT else None,
        name="Ines",
        resource_id=visit.pk,
        expires_at=timezone.now(),
    )
    return Principal(clinic=visit.clinic, role=role, name="Ines", link=link)


def test_a_visit_moves_and_keeps_who_it_is(book, desk, front_desk, colleague, clinic):
    visit, heard = book(), []
    long = factories.make_visit_type(clinic, minutes=30, mode="phone", buffer_after=10)
    appointment_changed.connect(lambda **signal: heard.append(signal), weak=False, dispatch_uid="test")
    try:
        moved = services.move(
            principal=desk, visit=visit, start=at("09:40"), practitioner=colleague, visit_type=long, reason=" Snow "
        )
    finally:
        appointment_changed.disconnect(dispatch_uid="test")

    assert moved.pk == visit.pk
    moved.refresh_from_db()
    assert (moved.start, moved.end, moved.busy_end) == (at("09:40"), at("10:10"), at("10:20"))
    assert (moved.practitioner, moved.visit_type, moved.mode) == (colleague, long, "phone")
    assert (moved.status, moved.revision) == (Status.BOOKED, 1)
    change = AppointmentChange.objects.filter(appointment=visit).last()
    assert (change.change, change.revision, change.by, change.reason) == ("moved", 1, front_desk, "Snow")
    assert (change.start, change.practitioner) == (moved.start, colleague)
    assert (change.old_start, change.old_practitioner) == (visit.start, visit.practitioner)
    event = AuditEvent.objects.get(subtype="appointment.move")
    assert (event.entity_id, event.user) == (str(visit.pk), front_desk)
    assert "Snow" not in str(event.detail)
    assert [(signal["change"], signal["appointment"].pk) for signal in heard] == [("moved", visit.pk)]


def test_its_old_time_is_free_for_others_at_once(book, desk, clinic):
    services.move(principal=desk, visit=book(), start=at("11:00"))

    assert book(patient=factories.make_patient(clinic)).start == at("10:00")


def test_to_where_it_is_nothing_moves(book, desk):
    visit = book()

    assert services.move(principal=desk, visit=visit, start=visit.start).revision == 0
    assert visit.changes.count() == 1


def test_it_may_overlap_where_it_was_itself(book, desk, clinic):
    visit = book(visit_type=factories.make_visit_type(clinic, minutes=60))
    short = factories.make_visit_type(clinic, minutes=20)

    assert services.move(principal=desk, visit=visit, start=at("10:40"), visit_type=short).start == at("10:40")


def test_what_is_taken_held_no_slot_or_past_is_refused(book, desk, clinic, clinician, hours, visit_type):
    visit = book()
    book(patient=factories.make_patient(clinic), start=at("10:20"))
    services.hold(principal=staff(clinician), practitioner=hours, visit_type=visit_type, start=at("10:40"))

    for start, refusal in {
        at("10:20"): services.SlotTaken,
        at("10:40"): services.SlotTaken,
        at("10:05"): services.NotAvailable,
        at("10:00") - 2 * WEEK: services.NotAvailable,
    }.items():
        with pytest.raises(refusal):
            services.move(principal=desk, visit=visit, start=start)
    visit.refresh_from_db()
    assert (visit.start, visit.revision, visit.changes.count()) == (at("10:00"), 0, 1)


def test_who_holds_a_time_moves_there(book, desk, hours, visit_type):
    visit = book()
    held = services.hold(principal=desk, practitioner=hours, visit_type=visit_type, start=at("11:00"))

    assert services.move(principal=desk, visit=visit, start=at("11:00"), hold=held).start == at("11:00")
    assert not Hold.objects.exists()


def test_a_patient_who_is_elsewhere_then_is_busy(book, desk, colleague):
    elsewhere = book(practitioner=colleague, start=at("11:00"))

    with pytest.raises(services.PatientBusy) as refusal:
        services.move(principal=desk, visit=book(), start=at("11:00"))
    assert refusal.value.visit == elsewhere


@pytest.mark.parametrize("status", [Status.ARRIVED, Status.FULFILLED, Status.CANCELLED, Status.NOSHOW])
def test_only_what_is_booked_moves(book, desk, status):
    visit = book()
    Appointment.objects.filter(pk=visit.pk).update(status=status)

    with pytest.raises(services.WrongState):
        services.move(principal=desk, visit=visit, start=at("11:00"))


def test_a_visit_keeps_its_type_while_it_moves_also_one_that_is_booked_no_more(book, desk, visit_type, clinic):
    visit, other = book(), factories.make_visit_type(clinic, is_active=False)
    visit_type.is_active = False
    visit_type.save()

    assert services.move(principal=desk, visit=visit, start=at("11:00")).start == at("11:00")
    assert services.move(principal=bearer(visit), visit=visit, start=at("10:00")).start == at("10:00")
    with pytest.raises(services.NotAvailable):
        services.move(principal=desk, visit=visit, start=at("11:00"), visit_type=other)
    with pytest.raises(services.NotAvailable):
        book(start=at("11:00"))


def test_only_who_offers_the_type_takes_it_over(book, desk, colleague, visit_type, hours):
    visit = book()
    visit_type.practitioners.add(hours)

    with pytest.raises(services.NotAvailable):
        services.move(principal=desk, visit=visit, start=at("10:00"), practitioner=colleague)


def test_a_stranger_moves_nothing_and_nothing_moves_to_strangers(book, desk, stranger, other_clinic):
    visit = book()

    with pytest.raises(Http404):
        services.move(principal=staff(stranger), visit=visit, start=at("11:00"))
    for theirs in (
        {"practitioner": factories.make_practitioner(other_clinic)},
        {"visit_type": factories.make_visit_type(other_clinic)},
    ):
        with pytest.raises(Http404):
            services.move(principal=desk, visit=visit, start=at("11:00"), **theirs)


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
def test_roles_that_may_not_find_no_such_visit(book, role, request):
    with pytest.raises(Http404):
        services.move(principal=staff(request.getfixturevalue(role)), visit=book(), start=at("11:00"))


# --- by their own link ------------------------------------------------------------------------


def test_a_patient_moves_their_visit(book):
    visit = book()

    moved = services.move(principal=bearer(visit), visit=visit, start=at("10:00", TUESDAY + WEEK), reason="Work")

    assert moved.start == at("10:00", TUESDAY + WEEK)
    change = visit.changes.last()
    assert (change.change, change.by, change.role) == ("moved", None, "patient")


def test_after_the_clinics_notice_it_is_too_late(book, clinic):
    visit = book()
    SchedulePolicy.objects.create(clinic=clinic, change_notice=14 * 24)

    with pytest.raises(services.TooLate) as refusal:
        services.move(principal=bearer(visit), visit=visit, start=at("11:00"))

    assert refusal.value.until == services.changeable_until(visit) == visit.start - 2 * WEEK


def test_the_types_notice_and_days_ahead_bind_a_patient_and_not_the_staff(book, desk, visit_type):
    visit = book()
    visit_type.horizon_days = 10
    visit_type.save()
    far = at("10:00", TUESDAY + 3 * WEEK)

    with pytest.raises(services.NotAvailable):
        services.move(principal=bearer(visit), visit=visit, start=far)
    assert services.move(principal=desk, visit=visit, start=far).start == far


def test_a_patient_keeps_the_type(book, clinic):
    visit = book()

    with pytest.raises(PermissionDenied):
        services.move(
            principal=bearer(visit), visit=visit, start=at("11:00"), visit_type=factories.make_visit_type(clinic)
        )


def test_guests_and_other_patients_move_nothing(book, practitioner):
    visit, other = book(), factories.make_visit(practitioner)

    for principal in (bearer(visit, Role.GUEST), bearer(other)):
        with pytest.raises(Http404):
            services.move(principal=principal, visit=visit, start=at("11:00"))


def test_when_a_listener_fails_nothing_has_moved(book, desk):
    visit = book()

    def fail(**_):
        raise RuntimeError

    appointment_changed.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            services.move(principal=desk, visit=visit, start=at("11:00"))
    finally:
        appointment_changed.disconnect(fail)

    visit.refresh_from_db()
    assert (visit.start, visit.changes.count()) == (at("10:00"), 1)


def test_a_move_that_names_no_place_it_came_from_is_refused_by_the_database(book):
    visit = book()

    with pytest.raises(IntegrityError):
        AppointmentChange.objects.create(
            appointment=visit, change="moved", revision=1, start=visit.start, practitioner=visit.practitioner
        )


# --- taken back -----------------------------------------------------------------------------------


def test_a_move_is_taken_back_to_its_time_and_clinician(book, desk, colleague):
    visit = book()
    services.move(principal=desk, visit=visit, start=at("11:00"), practitioner=colleague)

    back = services.move_back(principal=desk, visit=visit, revision=1)

    assert (back.start, back.practitioner, back.revision) == (at("10:00"), visit.practitioner, 2)
    change = back.changes.get(revision=2)
    assert (change.change, change.old_start, change.reason) == ("moved", at("11:00"), "The move was taken back.")
    assert AuditEvent.objects.filter(subtype="appointment.move").count() == 2


def test_taken_back_twice_is_once(book, desk):
    visit = book()
    services.move(principal=desk, visit=visit, start=at("11:00"))

    first = services.move_back(principal=desk, visit=visit, revision=1)
    assert services.move_back(principal=desk, visit=visit, revision=1) == first
    assert visit.changes.count() == 3


def test_hours_that_changed_meanwhile_do_not_keep_a_visit_from_going_back(book, desk):
    visit = book()
    services.move(principal=desk, visit=visit, start=at("11:00"))
    visit.practitioner.availability.all().delete()

    assert services.move_back(principal=desk, visit=visit, revision=1).start == at("10:00")


def test_what_is_in_the_way_of_going_back_is_said(book, desk, clinic, colleague):
    visit = book()
    services.move(principal=desk, visit=visit, start=at("11:00"))
    book(patient=factories.make_patient(clinic))

    with pytest.raises(services.SlotTaken):
        services.move_back(principal=desk, visit=visit, revision=1)
    visit.refresh_from_db()
    assert (visit.start, visit.revision) == (at("11:00"), 1)


@pytest.mark.parametrize("what", ["moved on", "cancelled", "arrived", "never moved"])
def test_what_became_of_it_since_is_not_undone(book, desk, what):
    visit = book()
    moved = services.move(principal=desk, visit=visit, start=at("11:00")) if what != "never moved" else visit
    if what == "moved on":
        services.move(principal=desk, visit=visit, start=at("11:20"))
    if what == "cancelled":
        services.cancel(principal=desk, visit=visit)
    if what == "arrived":
        services.arrive(principal=desk, visit=visit)

    with pytest.raises(services.WrongState):
        services.move_back(principal=desk, visit=moved, revision=1)


@pytest.mark.parametrize("what", ["time", "clinician"])
def test_to_a_time_that_has_gone_or_who_takes_no_visits_any_more_nothing_goes_back(
    book, desk, colleague, monkeypatch, what
):
    visit = book(practitioner=colleague)
    services.move(principal=desk, visit=visit, start=at("11:00"))
    if what == "time":
        monkeypatch.setattr(timezone, "now", lambda: at("10:01"))
    else:
        colleague.is_active = False
        colleague.save()

    with pytest.raises(services.NotAvailable):
        services.move_back(principal=desk, visit=visit, revision=1)


def test_only_staff_of_the_clinic_take_a_move_back(book, desk, stranger, auditor):
    visit = book()
    services.move(principal=desk, visit=visit, start=at("11:00"))

    for who in (staff(stranger), staff(auditor), bearer(visit)):
        with pytest.raises(Http404):
            services.move_back(principal=who, visit=visit, revision=1)
