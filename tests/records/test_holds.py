"""Legal holds: nothing of the record goes while one is in force, whoever asks."""

from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone

from accounts.links import services as links
from accounts.models import AccessLink, AuditEvent, EmergencyAccess, Patient, RelatedPerson
from tests import factories
from tests.accounts.keys.rings import NEW, ring
from tests.accounts.keys.test_rotation import rotated
from tests.conftest import staff
from tests.party import make_link
from tests.records.conftest import PHONE
from tests.reminders.conftest import announce
from visits.booking import services as booking
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin.models import CheckIn, Consent
from visits.intake.models import QuestionnaireResponse
from visits.records import retention
from visits.records.errors import Erased, OnHold
from visits.records.models import LegalHold
from visits.records.services import erasure, holds
from visits.reminders.models import Communication, ContactPreference
from visits.reminders.services import reports
from visits.room.models import Encounter, LineMinute, Presence, Seat
from visits.summary.models import Composition
from visits.waiting.models import Ticket
from visits.waitlist.models import WaitlistEntry

pytestmark = pytest.mark.django_db


def test_a_person_orders_it_and_a_person_ends_it_and_both_are_on_the_trail(rosa, as_admin):
    hold = holds.place(principal=as_admin, patient=rosa, reason="Case 12")
    assert holds.in_force(rosa) == [hold]

    holds.end(principal=as_admin, pk=hold.pk)
    holds.end(principal=as_admin, pk=hold.pk)

    assert holds.in_force(rosa) == []
    assert [
        (event.subtype, event.patient, event.user)
        for event in AuditEvent.objects.filter(subtype__startswith="record.").order_by("pk")
    ] == [("record.hold", rosa, as_admin.user), ("record.release", rosa, as_admin.user)]
    ended = LegalHold.objects.get()
    assert (ended.reason, ended.placed_by, ended.ended_by) == ("Case 12", as_admin.user, as_admin.user)


def test_nothing_is_erased_meanwhile(rosa, lived, hold, as_admin):
    with pytest.raises(OnHold):
        erasure.erase(principal=as_admin, patient=rosa)
    assert sum(due.rows for due in retention.run()) == 0
    assert sum(due.on_hold for due in retention.find()) > 0

    rosa.refresh_from_db()
    assert rosa.email


def test_the_reason_is_sealed(hold):
    assert LegalHold.objects.values_list("reason", flat=True).get().startswith("e1:")


@pytest.mark.parametrize("table", ["accounts_patient", "booking_appointment", "checkin_consent"])
def test_the_database_deletes_nothing_of_the_record(rosa, lived, hold, table):
    """Rows 6 and 35 of the checklist: what a court wants kept stays, also from who goes round the services."""
    column = "id" if table == "accounts_patient" else "patient_id"
    sql = f"DELETE FROM {table} WHERE {column} = %s"
    key = rosa.pk if connection.vendor == "postgresql" else rosa.pk.hex

    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="record_on_hold"), transaction.atomic():
        cursor.execute(sql, [key])


OF_THE_RECORD = {
    AccessLink: {"name": "-", "relationship": "nobody"},
    CheckIn: {"location": ""},
    Communication: {"address": "", "provider_id": "another", "lead": 30, "details": {}},
    Composition: {"what_to_do": ""},
    ContactPreference: {},
    Encounter: {},
    LineMinute: {},
    Presence: {},
    QuestionnaireResponse: {"answers": ""},
    RelatedPerson: {"given_name": ""},
    Seat: {"name": "-"},
    Ticket: {},
    WaitlistEntry: {},
}
WORDS = {
    Appointment: {"cancelation_reason": ""},
    AppointmentChange: {"reason": ""},
    EmergencyAccess: {"reason": ""},
    LegalHold: {"reason": ""},
}


def refuse(change, says="record_on_hold|summary_as_published"):
    with pytest.raises(IntegrityError, match=says), transaction.atomic():
        change()


def all_rows(model):
    """Past the ORM, which would delete what refers to a row first."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table}")


@pytest.mark.parametrize("model", OF_THE_RECORD, ids=lambda model: model.__name__)
def test_the_database_removes_nothing_that_belongs_to_the_record(lived, hold, model):
    """Row 6 of the checklist: messages, answers, drafts, links: all of a record that is held stays."""
    Ticket.objects.create(appointment=lived, arrived_at=lived.start, seen_at=lived.start)

    assert model.objects.exists()
    refuse(lambda: all_rows(model))

    hold.ended_at, hold.ended_by = timezone.now(), hold.placed_by
    hold.save()
    if model not in {AccessLink, Composition, Encounter}:  # published, or others refer to them
        model.objects.all().delete()


def test_a_draft_of_a_summary_is_held_too(lived, hold, clinician):
    draft = Composition.objects.create(appointment=lived, version=2, language="es", author=clinician, author_name="x")
    refuse(draft.delete, "record_on_hold")

    draft.what_to_do = "It can be written on."
    draft.save()


@pytest.mark.parametrize(
    ("model", "change"),
    [(model, {name: value}) for model, changes in (OF_THE_RECORD | WORDS).items() for name, value in changes.items()],
    ids=str,
)
def test_the_database_overwrites_nothing_that_is_settled(lived, hold, model, change):
    rows = model.objects.all()
    if model in WORDS:
        rows = rows.exclude(**dict.fromkeys(change, ""))
    assert rows.exists()
    refuse(lambda: rows.update(**change))

    if model is not Composition:
        hold.ended_at, hold.ended_by = timezone.now(), hold.placed_by
        hold.save()
        rows.update(**change)


# Some rows stay as they are anyway.
STAYS = "record_on_hold|as_published|append_only|as_given|emergency_access_stays"
# By which columns the database knows whose a row is.
WHOSE = {
    AccessLink: ("clinic", "patient"),
    Appointment: ("clinic", "patient"),
    AppointmentChange: ("appointment",),
    CheckIn: ("appointment",),
    Communication: ("appointment", "patient"),
    Composition: ("appointment",),
    Consent: ("appointment", "patient"),
    ContactPreference: ("patient",),
    EmergencyAccess: ("clinic", "patient"),
    Encounter: ("appointment",),
    LegalHold: ("patient",),
    LineMinute: ("seat",),
    Patient: ("clinic",),
    Presence: ("seat",),
    QuestionnaireResponse: ("appointment",),
    RelatedPerson: ("patient",),
    Seat: ("encounter",),
    Ticket: ("appointment",),
    WaitlistEntry: ("appointment",),
}


@pytest.fixture
def elsewhere(other_clinic, clinician):
    """By the field that would name it: somebody else's visit in another clinic, and what there is of it."""
    visit = factories.make_visit(factories.make_practitioner(other_clinic))
    encounter = Encounter.objects.create(appointment=visit, started_at=visit.start, encryption="preferred")
    seat = Seat.objects.create(encounter=encounter, user=clinician, name="Dr.", role="clinician")
    return {
        "appointment": visit, "clinic": other_clinic, "encounter": encounter, "patient": visit.patient, "seat": seat,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "field"), [(model, field) for model, fields in WHOSE.items() for field in fields],
    ids=lambda one: getattr(one, "__name__", one),
)  # fmt: skip
def test_the_database_moves_nothing_of_the_record_to_anybody_else(rosa, lived, hold, elsewhere, model, field):
    """Row 6 of the checklist: a row that is moved to another patient, visit or clinic would be out of the hold."""
    Ticket.objects.create(appointment=lived, arrived_at=lived.start, seen_at=lived.start)
    theirs = model.objects.exclude(pk__in=[one.pk for one in elsewhere.values() if isinstance(one, model)])
    if model is Patient:
        theirs = theirs.filter(pk=rosa.pk)
    assert theirs.exists()

    refuse(lambda: theirs.update(**{field: elsewhere[field]}), STAYS)

    assert not theirs.filter(**{field: elsewhere[field]}).exists()


def test_what_is_not_sent_yet_is_not_moved_either_and_without_a_hold_it_can_be(rosa, lived, hold, elsewhere):
    planned = Communication.objects.filter(state="planned")
    Communication.objects.update(state="planned", dispatched_at=None, sent_at=None)
    refuse(lambda: planned.update(patient=elsewhere["patient"]), "record_on_hold")

    hold.ended_at, hold.ended_by = timezone.now(), hold.placed_by
    hold.save()

    assert planned.update(patient=elsewhere["patient"]) == 1


def test_other_words_are_refused_where_the_right_key_has_sealed_them(lived, hold):
    row = QuestionnaireResponse.objects.get()
    row.answers = "{}"
    refuse(row.save, "record_on_hold")

    message = Communication.objects.get()
    message.address = "another@example.org"
    refuse(message.save, "record_on_hold")


def test_keys_are_changed_all_the_same(rosa, lived, hold, settings):
    first = settings.DATA_KEYS
    with ring(NEW, *first):
        said = rotated()

        assert "reminders.Communication: 1 of 1" in said
        assert "intake.QuestionnaireResponse: 1 of 1" in said
        assert "checkin.CheckIn: 1 of 1" in said
        rows = Communication.objects.values_list("address", flat=True)
        assert rows.get().startswith("e1:new:")


def test_life_goes_on_meanwhile(rosa, lived, hold, practitioner, front_desk):
    """A hold keeps what was; the next visit is booked, prepared and cancelled as ever."""
    visit = factories.make_visit(practitioner, patient=rosa)
    CheckIn.objects.create(appointment=visit, callback_phone=PHONE, location="Home", emergency_contact="Ana")
    CheckIn.objects.filter(appointment=visit).update(emergency_contact="")
    announce(visit, "booked")
    Communication.objects.filter(appointment=visit).update(address="")
    booking.cancel(principal=staff(front_desk), visit=visit, reason="Snow")
    message = Communication.objects.get(appointment=lived)
    reports.failed(message, is_address=True)
    link = make_link(lived)
    links.revoke_all(resource_id=lived.pk, principal=staff(front_desk))
    link.refresh_from_db()

    assert link.revoked_at is not None
    assert Communication.objects.get(pk=message.pk).state == "failed"


def test_the_database_marks_nobody_erased(rosa, hold):
    gone = {"erased_at": timezone.now(), "deactivated_at": timezone.now()}
    with pytest.raises(IntegrityError, match="record_on_hold"), transaction.atomic():
        Patient.objects.filter(pk=rosa.pk).update(**gone)

    hold.ended_at, hold.ended_by = timezone.now(), hold.placed_by
    hold.save()
    Patient.objects.filter(pk=rosa.pk).update(**gone)


def test_the_database_deletes_no_hold_and_ends_none_by_nobody(hold):
    with pytest.raises(IntegrityError, match="legal_hold_stays"), transaction.atomic():
        hold.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        LegalHold.objects.update(ended_at=timezone.now())


def test_who_is_erased_cannot_be_held(rosa, lived, as_admin):
    erasure.erase(principal=as_admin, patient=rosa)

    with pytest.raises(Erased):
        holds.place(principal=as_admin, patient=rosa, reason="Too late")


@pytest.mark.parametrize("who", ["clinician", "front_desk", "auditor", "stranger"])
def test_others_neither_order_nor_end_one(rosa, hold, request, who):
    principal = staff(request.getfixturevalue(who))

    with pytest.raises(Http404):
        holds.place(principal=principal, patient=rosa, reason="Mine")
    with pytest.raises(Http404):
        holds.end(principal=principal, pk=hold.pk)


def test_the_admin_says_why_a_row_stays(rosa, hold, verified, clinic_admin):
    kept = ContactPreference.objects.create(patient=rosa, channel="sms", opted_out_at=timezone.now())
    browser, page = verified(clinic_admin), "/admin/reminders/contactpreference/"
    chosen = {"action": "delete_selected", "_selected_action": [kept.pk], "post": "yes"}

    alone = browser.post(f"{page}{kept.pk}/delete/", {"post": "yes"}, follow=True)
    among_others = browser.post(page, chosen, follow=True)

    for answer in (alone, among_others):
        assert "A legal hold keeps this record." in answer.content.decode()
    assert ContactPreference.objects.filter(pk=kept.pk).exists()
    assert not AuditEvent.objects.filter(subtype="admin.delete").exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
@pytest.mark.parametrize("table", import_module("visits.records.migrations.0006_none_truncates").TABLES)
def test_no_table_whose_rows_stay_is_emptied_at_once(table):
    with pytest.raises(IntegrityError, match="rows_stay"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")
