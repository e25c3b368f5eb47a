"""Legal holds: nothing of the record goes while one is in force, whoever asks."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone

from accounts.models import AuditEvent, Patient
from tests.conftest import staff
from visits.records import retention
from visits.records.errors import Erased, OnHold
from visits.records.models import LegalHold
from visits.records.services import erasure, holds

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
    """Row 6 of the checklist: what a court wants kept stays, also from who goes round the services."""
    column = "id" if table == "accounts_patient" else "patient_id"
    sql = f"DELETE FROM {table} WHERE {column} = %s"
    key = rosa.pk if connection.vendor == "postgresql" else rosa.pk.hex

    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="record_on_hold"), transaction.atomic():
        cursor.execute(sql, [key])


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
