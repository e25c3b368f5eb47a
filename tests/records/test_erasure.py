"""Erasing a patient: what goes, what stays, and what is in its way."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone

from accounts.audit import sealing, verifying
from accounts.keys.fields import columns
from accounts.models import AccessLink, AuditEvent, EmergencyAccess, Patient, RelatedPerson
from tests import factories
from tests.accounts.keys.test_canaries import database
from tests.booking.conftest import at
from tests.booking.conftest import hours as hours
from tests.conftest import staff
from tests.party import bearer, browser, make_link
from tests.records.conftest import CANARY, LONG_AGO, live
from tests.threads import at_once
from visits.booking import patients
from visits.booking import services as booking
from visits.booking.models import Appointment, AppointmentChange
from visits.calendar import feed
from visits.calendar.models import CalendarFeed
from visits.checkin.models import Consent
from visits.intake.models import QuestionnaireResponse
from visits.records.errors import Erased, RecordError, StillBooked, TooEarly
from visits.records.models import RecordCopy
from visits.records.services import activity, copies, erasure
from visits.reminders.models import Communication
from visits.summary.models import Composition

pytestmark = pytest.mark.django_db


@pytest.fixture
def named(rosa, lived, as_admin):
    """The patient's name in all the other places, too."""
    copy = copies.order(principal=as_admin, patient=rosa, reason=f"{CANARY} asked")
    copies.make(copy.pk)
    feed.renew(principal=bearer(make_link(lived)))
    return rosa


def test_the_database_lets_a_published_summary_go_only_with_its_patient(lived):
    with pytest.raises(IntegrityError, match="summary_as_published"), transaction.atomic():
        Composition.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_a_dump_of_the_database_has_no_word_of_them_left(named, as_admin):
    """Row 4 of the checklist: an erased person's words are in no dump, sealed or plain."""
    assert CANARY.encode() in database()

    erasure.erase(principal=as_admin, patient=named)
    if connection.vendor == "sqlite":  # deleted bytes stay in free pages until they are written over
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert CANARY.encode() not in database().lower()
    for model, field in [
        (Communication, "address"),
        (RecordCopy, "reason"),
        (RecordCopy, "content"),
        (QuestionnaireResponse, "answers"),
        (RelatedPerson, "email"),
        (EmergencyAccess, "reason"),
    ]:
        assert not model.objects.exclude(**{field: ""}).exists(), field


def test_visits_agreements_and_the_trail_stay(named, lived, as_admin):
    before = AuditEvent.objects.count()

    erasure.erase(principal=as_admin, patient=named)

    lived.refresh_from_db()
    assert (lived.start, lived.status) == (LONG_AGO, "fulfilled")
    assert lived.encounter.seats.filter(presences__isnull=False).count() == 3
    assert Consent.objects.filter(appointment=lived).exists()
    assert not Composition.objects.exists()
    assert AppointmentChange.objects.filter(appointment__patient=named).exists()
    events = AuditEvent.objects.filter(patient=named)
    assert AuditEvent.objects.count() > before
    assert events.filter(subtype="patient.erase", user=as_admin.user).count() == 1
    sealing.seal()
    assert verifying.verify([]).unsealed == 0


def test_what_opened_something_opens_nothing(named, lived, as_admin):
    link = make_link(lived)

    erasure.erase(principal=as_admin, patient=named)

    assert browser(link).get(f"/my/{lived.pk}/visit/").status_code == 302
    assert not AccessLink.objects.filter(resource_id=lived.pk, revoked_at=None, expires_at__gt=timezone.now()).exists()
    assert not CalendarFeed.objects.filter(patient=named, revoked_at=None).exists()


def test_the_plan_says_what_would_go_and_changes_nothing(named, as_admin):
    before = Patient.objects.get(pk=named.pk).email

    plan = erasure.plan(principal=as_admin, patient=named)

    assert plan.refusal is None
    assert plan.visits == 2
    assert {str(label): count for label, count in plan.takes}["Names of guests"] == 1
    assert Patient.objects.get(pk=named.pk).email == before


def test_nobody_is_erased_twice(named, as_admin):
    erasure.erase(principal=as_admin, patient=named)

    with pytest.raises(Erased):
        erasure.erase(principal=as_admin, patient=named)


def test_an_erased_person_is_not_found(named, as_admin, front_desk):
    assert patients.find(named.clinic, CANARY) == [named]

    erasure.erase(principal=as_admin, patient=named)

    assert patients.find(named.clinic, CANARY) == []
    assert patients.find(named.clinic, "--") == []


# --- what is in its way


def test_care_of_some_years_ago_is_kept(rosa, practitioner, clinician, front_desk, as_admin):
    live(rosa, practitioner, clinician, front_desk, timezone.now() - timedelta(days=365))

    with pytest.raises(TooEarly) as refused:
        erasure.erase(principal=as_admin, patient=rosa)

    assert timezone.localdate() + timedelta(days=3200) < refused.value.until


def test_who_was_treated_as_a_child_is_kept_until_21(rosa, lived, as_admin):
    Patient.objects.filter(pk=rosa.pk).update(birth_date=date(timezone.now().year - 20, 2, 28))

    with pytest.raises(TooEarly):
        erasure.erase(principal=as_admin, patient=rosa)


def test_somebody_of_whom_there_is_nothing_clinical_goes_at_once(clinic, practitioner, as_admin):
    patient = factories.make_patient(clinic)
    factories.make_visit(practitioner, patient=patient, status="cancelled")

    assert erasure.erase(principal=as_admin, patient=patient).erased_at


@pytest.mark.parametrize("status", ["booked", "arrived"])
def test_visits_to_come_are_in_the_way(rosa, lived, practitioner, as_admin, status):
    factories.make_visit(practitioner, patient=rosa, status=status)

    for refused in (erasure.erase, activity.deactivate):
        with pytest.raises(StillBooked):
            refused(principal=as_admin, patient=rosa)


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor", "stranger"])
def test_others_erase_and_close_nobody(rosa, lived, request, who):
    principal = staff(request.getfixturevalue(who))

    for refused in (erasure.erase, erasure.plan, activity.deactivate, activity.reactivate):
        with pytest.raises(Http404):
            refused(principal=principal, patient=rosa)


@pytest.mark.django_db(transaction=True)
def test_a_booking_at_the_same_moment_or_the_erasure_comes_first_never_both(
    rosa,
    hours,
    front_desk,
    as_admin,
    visit_type,
):

    def book() -> str:
        try:
            booking.book(
                principal=staff(front_desk), practitioner=hours, patient=rosa, visit_type=visit_type, start=at("10:00")
            )
        except booking.PatientInactive:
            return "refused"
        return "booked"

    def erase() -> str:
        try:
            erasure.erase(principal=as_admin, patient=rosa)
        except RecordError:
            return "kept"
        return "erased"

    assert at_once([book, erase]) in (["booked", "kept"], ["refused", "erased"])


# --- closing without erasing


def test_closed_for_visits_and_opened_again(rosa, lived, as_admin, front_desk):
    link = make_link(lived)

    activity.deactivate(principal=as_admin, patient=rosa)
    activity.deactivate(principal=as_admin, patient=rosa)

    assert patients.find(rosa.clinic, CANARY) == []
    assert browser(link).get(f"/my/{lived.pk}/visit/").status_code == 302
    with pytest.raises(IntegrityError, match="appointment_patient_active"), transaction.atomic():
        factories.make_visit(lived.practitioner, patient=rosa)

    activity.reactivate(principal=as_admin, patient=rosa)

    assert patients.find(rosa.clinic, CANARY) == [rosa]
    factories.make_visit(lived.practitioner, patient=rosa)
    assert AuditEvent.objects.filter(patient=rosa, subtype="patient.deactivate").count() == 1
    assert AuditEvent.objects.filter(patient=rosa, subtype="patient.activate").count() == 1


def test_booking_says_that_somebody_is_closed(rosa, as_admin, front_desk, hours, visit_type):
    activity.deactivate(principal=as_admin, patient=rosa)

    with pytest.raises(booking.PatientInactive):
        booking.book(
            principal=staff(front_desk), practitioner=hours, patient=rosa, visit_type=visit_type, start=at("10:00")
        )
    assert not Appointment.objects.filter(patient=rosa).exists()


def test_the_words_of_a_history_can_go_and_nothing_else_of_it(lived, practitioner):
    change = AppointmentChange.objects.filter(appointment__patient=lived.patient).exclude(reason="").get()
    rows = AppointmentChange.objects.filter(pk=change.pk)

    change.reason = "another"
    another = columns(change, "reason")
    for other in (another, {"reason": "", "role": "guest"}, {"reason": "", "start": timezone.now()}):
        with pytest.raises(IntegrityError, match="appointment_change_append_only"), transaction.atomic():
            rows.update(**other)
    rows.update(reason="")
