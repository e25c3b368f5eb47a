"""Arrived, fulfilled, cancelled, missed: which follows which, who may, and what is recorded."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone

from accounts.models import AccessLink, AuditEvent, Practitioner
from accounts.policy import Role
from accounts.principal import Principal
from tests import factories
from tests.accounts.keys.rings import NEW, OLD, ring
from tests.accounts.keys.test_rotation import rotated
from tests.conftest import staff
from visits.booking import services
from visits.booking.models import Appointment, AppointmentChange
from visits.booking.signals import appointment_changed
from visits.schedule.models import SchedulePolicy

pytestmark = pytest.mark.django_db

Status = Appointment.Status
VERBS = {
    Status.CANCELLED: services.cancel,
    Status.ARRIVED: services.arrive,
    Status.FULFILLED: services.fulfil,
    Status.NOSHOW: services.miss,
}
NOUNS = {Status.CANCELLED: "cancel", Status.ARRIVED: "arrive", Status.FULFILLED: "fulfil", Status.NOSHOW: "miss"}


@pytest.fixture
def changes():
    heard = []

    def listen(*, appointment, change, principal, **_):
        heard.append((appointment.pk, change, principal))

    appointment_changed.connect(listen)
    yield heard
    appointment_changed.disconnect(listen)


def as_status(visit: Appointment, status: Appointment.Status) -> Appointment:
    Appointment.objects.filter(pk=visit.pk).update(status=status)
    return visit


def bearer(visit: Appointment, role: Role) -> Principal:
    """Who holds a link to the visit."""
    patient = visit.patient if role == Role.PATIENT else None
    link = AccessLink.objects.create(
        token_hash=uuid.uuid4().hex,
        kind=role.value,
        clinic=visit.clinic,
        patient=patient,
        name="Ines",
        resource_id=visit.pk,
        expires_at=timezone.now(),
    )
    return Principal(clinic=visit.clinic, role=role, name="Ines", link=link)


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", VERBS)
def test_only_the_transitions_of_the_table_happen(visit, clinician, changes, before, after):
    as_status(visit, before)
    principal = staff(clinician)

    if before == after:
        assert VERBS[after](principal=principal, visit=visit).status == after
        assert changes == []
    elif after in Appointment.TRANSITIONS[before]:
        assert VERBS[after](principal=principal, visit=visit).status == after
        assert changes == [(visit.pk, after.value, principal)]
        event = AuditEvent.objects.get(subtype=f"appointment.{NOUNS[after]}")
        assert (event.user, event.patient, event.detail) == (clinician, visit.patient, {"from": before.value})
    else:
        with pytest.raises(services.WrongState):
            VERBS[after](principal=principal, visit=visit)
        assert changes == []
        visit.refresh_from_db()
        assert visit.status == before


def test_what_was_read_long_ago_does_not_count(visit, clinician):
    stale = Appointment.objects.get(pk=visit.pk)
    services.cancel(principal=staff(clinician), visit=visit)

    with pytest.raises(services.WrongState):
        services.arrive(principal=staff(clinician), visit=stale)


def test_a_cancelled_visit_keeps_its_reason_and_counts_a_revision(visit, front_desk):
    cancelled = services.cancel(principal=staff(front_desk), visit=visit, reason="  Snow  ")

    assert (cancelled.cancelation_reason, cancelled.revision) == ("Snow", 1)
    assert "Snow" not in str(AuditEvent.objects.get(subtype="appointment.cancel").detail)


def test_why_a_visit_was_cancelled_is_sealed_anew_by_rotate_keys_and_by_that_alone(practitioner, front_desk):
    """Row 4 of the checklist: a history that only grows comes under the new key too."""
    with ring(OLD):
        services.cancel(principal=staff(front_desk), visit=factories.make_visit(practitioner), reason="Snow")

    with ring(NEW, OLD):
        assert "booking.AppointmentChange: 1 of 1" in rotated()
        # Whoever has the new key may not write other words by it.
        change = AppointmentChange.objects.get()
        change.reason = "Rain"
        with pytest.raises(IntegrityError, match="appointment_change_append_only"), transaction.atomic():
            change.save(update_fields=["reason"])

    with ring(NEW):
        assert AppointmentChange.objects.get().reason == Appointment.objects.get().cancelation_reason == "Snow"


@pytest.mark.parametrize("verb", [services.cancel, services.miss])
def test_a_visit_that_is_off_frees_its_time(book, front_desk, clinic, verb):
    verb(principal=staff(front_desk), visit=book())

    assert book(patient=factories.make_patient(clinic)).status == Status.BOOKED


def test_a_missed_patient_who_comes_after_all_finds_the_time_given_away(book, front_desk, clinic):
    missed = services.miss(principal=staff(front_desk), visit=book())
    book(patient=factories.make_patient(clinic))

    with pytest.raises(services.SlotTaken):
        services.arrive(principal=staff(front_desk), visit=missed)


@pytest.mark.parametrize("verb", VERBS.values())
def test_a_stranger_finds_no_such_visit(visit, stranger, verb):
    as_status(visit, Status.ARRIVED if verb is services.fulfil else Status.BOOKED)

    with pytest.raises(Http404):
        verb(principal=staff(stranger), visit=visit)


@pytest.mark.parametrize("role", ["clinic_admin", "auditor"])
@pytest.mark.parametrize("verb", VERBS.values())
def test_roles_that_may_not_find_no_such_visit(visit, role, verb, request):
    with pytest.raises(Http404):
        verb(principal=staff(request.getfixturevalue(role)), visit=visit)


def test_the_patient_arrives_by_their_own_link_and_decides_nothing_else(visit):
    patient = bearer(visit, Role.PATIENT)

    assert services.arrive(principal=patient, visit=visit).status == Status.ARRIVED
    for verb in (services.miss, services.fulfil):
        with pytest.raises(Http404):
            verb(principal=patient, visit=visit)


def test_the_patient_cancels_by_their_own_link_until_the_clinics_notice(practitioner):
    visit = factories.make_visit(practitioner, start=timezone.now() + timedelta(hours=2))
    patient = bearer(visit, Role.PATIENT)
    with pytest.raises(services.TooLate) as refusal:
        services.cancel(principal=patient, visit=visit)
    assert refusal.value.until == visit.start - timedelta(hours=24)

    SchedulePolicy.objects.create(clinic=visit.clinic, change_notice=1)
    assert services.cancel(principal=patient, visit=visit, reason="Better").status == Status.CANCELLED
    change = visit.changes.get()
    assert (change.change, change.by, change.role, change.reason) == ("cancelled", None, "patient", "Better")


@pytest.mark.parametrize("role", [Role.PATIENT, Role.GUEST])
def test_with_a_link_to_another_visit_nobody_cancels_this_one(visit, role):
    other = factories.make_visit(visit.practitioner)

    with pytest.raises(Http404):
        services.cancel(principal=bearer(other, role), visit=visit)
    with pytest.raises(Http404):
        services.cancel(principal=bearer(visit, Role.GUEST), visit=visit)


def test_each_change_is_in_the_visits_history_once(visit, clinician):
    principal = staff(clinician)
    for verb in (services.miss, services.arrive, services.arrive, services.fulfil):
        verb(principal=principal, visit=visit)

    found = [(row.change, row.by, row.role, row.revision, row.start) for row in visit.changes.all()]
    assert found == [(name, clinician, "clinician", 0, visit.start) for name in ("noshow", "arrived", "fulfilled")]


def test_the_patient_of_another_visit_does_not_arrive_here(visit):
    other = factories.make_visit(visit.practitioner)

    with pytest.raises(Http404):
        services.arrive(principal=bearer(other, Role.PATIENT), visit=visit)


def test_a_guest_does_not_arrive_for_the_patient(visit):
    with pytest.raises(Http404):
        services.arrive(principal=bearer(visit, Role.GUEST), visit=visit)


def test_front_desk_does_not_end_visits(visit, front_desk):
    with pytest.raises(Http404):
        services.fulfil(principal=staff(front_desk), visit=as_status(visit, Status.ARRIVED))


def test_the_system_itself_may(visit, changes):
    assert services.miss(principal=None, visit=visit).status == Status.NOSHOW

    assert changes == [(visit.pk, "noshow", None)]
    event = AuditEvent.objects.get(subtype="appointment.miss")
    assert (event.user, event.link, event.clinic) == (None, None, visit.clinic)


def test_when_a_listener_fails_nothing_has_changed(visit, clinician):
    def fail(**_):
        raise RuntimeError

    appointment_changed.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            services.cancel(principal=staff(clinician), visit=visit)
    finally:
        appointment_changed.disconnect(fail)

    visit.refresh_from_db()
    assert visit.status == Status.BOOKED
    assert not AuditEvent.objects.filter(subtype="appointment.cancel").exists()


def test_a_practitioner_who_left_can_still_end_their_visits(visit, clinician):
    Practitioner.objects.filter(pk=visit.practitioner_id).update(is_active=False)

    assert services.fulfil(principal=staff(clinician), visit=as_status(visit, Status.ARRIVED)).status == "fulfilled"
