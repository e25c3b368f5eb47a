"""What was plain before is sealed after the migration, and plain again after going back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection, models
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import isolate_apps

from accounts.models import Patient, TOTPDevice, User
from tests import factories
from visits.booking.models import Appointment, AppointmentChange
from visits.checkin.models import CheckIn
from visits.reminders.models import Communication, ContactPreference

pytestmark = pytest.mark.django_db(transaction=True)


def migrate(app: str, name: str) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([(app, name)])


@contextmanager
def before(app: str, name: str) -> Iterator[None]:
    """The database as it was after migration ``name``; all the way forward again at the end."""
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    try:
        migrate(app, name)
        yield
    finally:
        MigrationExecutor(connection).migrate(newest)


def test_safety_facts_are_sealed_and_opened(visit: Appointment) -> None:
    CheckIn.objects.create(appointment=visit, location="12 Harbour Street", emergency_contact="Ana, 5550100199")

    with before("checkin", "0002_consent_as_given"), connection.cursor() as cursor:
        cursor.execute("SELECT location, callback_phone, emergency_contact FROM checkin_checkin")
        assert cursor.fetchall() == [("12 Harbour Street", "", "Ana, 5550100199")]

    found = CheckIn.objects.get()
    assert (found.location, found.callback_phone, found.emergency_contact) == (
        "12 Harbour Street", "", "Ana, 5550100199",
    )  # fmt: skip


@pytest.fixture
def old_table() -> Iterator[Any]:
    """django-otp's own table, as a clinic has it that comes from before."""
    with isolate_apps("accounts"):

        class Old(models.Model):
            user_id = models.UUIDField()
            name = models.CharField(max_length=64)
            confirmed = models.BooleanField(default=True)
            key = models.CharField(max_length=80)
            step = models.PositiveSmallIntegerField(default=30)
            t0 = models.BigIntegerField(default=0)
            digits = models.PositiveSmallIntegerField(default=6)
            tolerance = models.PositiveSmallIntegerField(default=1)
            drift = models.SmallIntegerField(default=0)
            last_t = models.BigIntegerField(default=-1)
            throttling_failure_timestamp = models.DateTimeField(null=True)
            throttling_failure_count = models.PositiveIntegerField(default=0)
            created_at = models.DateTimeField(null=True)
            last_used_at = models.DateTimeField(null=True)

            class Meta:
                app_label = "accounts"
                db_table = "otp_totp_totpdevice"

            def __str__(self) -> str:
                return self.name

    with connection.schema_editor() as editor:
        editor.create_model(Old)
    yield Old
    with connection.schema_editor() as editor:
        editor.delete_model(Old)


def test_seeds_of_phones_move_into_a_table_that_seals_them(old_table: Any) -> None:
    user: User = factories.make_user()
    TOTPDevice.objects.create(user=user, name="phone", key="ab" * 20, last_t=7)

    with before("accounts", "0004_audit_chain"):
        old = old_table.objects.get()
        assert (old.user_id, old.key, old.last_t, old.digits) == (user.pk, "ab" * 20, 7, 6)

    found = TOTPDevice.objects.get()
    assert (found.user_id, found.key, found.last_t, found.name) == (user.pk, "ab" * 20, 7, "phone")
    assert found.created_at == old.created_at
    assert not old_table.objects.exists()


def test_patients_addresses_are_sealed_and_found_by_their_hash(visit: Appointment) -> None:
    with before("accounts", "0006_clinic_names_staff"), connection.cursor() as cursor:
        cursor.execute("SELECT email, phone FROM accounts_patient")
        assert cursor.fetchall() == [("rosa@example.org", "(555) 010-0177")]

    for found in (
        {"email_hash__of": "rosa@example.org"},
        {"phone_hash__of": "+15550100177"},
        {"last_digits_hash__of": "0177"},
    ):
        assert Patient.objects.get(**found).email == "rosa@example.org"


def test_addresses_in_the_ledger_are_sealed_and_found_by_their_hash(visit: Appointment) -> None:
    Communication.objects.create(appointment=visit, kind="confirmation", due_at=visit.start, address="rosa@example.org")
    ContactPreference.objects.create(
        patient=visit.patient, channel="email", bounced_at=visit.start, bounced_address="rosa@example.org"
    )

    with before("reminders", "0005_of_a_patient"), connection.cursor() as cursor:
        for column, table in (("address", "communication"), ("bounced_address", "contactpreference")):
            cursor.execute(f"SELECT {column} FROM reminders_{table}")
            assert cursor.fetchall() == [("rosa@example.org",)]

    assert Communication.objects.get(address_hash__of="rosa@example.org").address == "rosa@example.org"
    assert ContactPreference.objects.get().bounced_address == "rosa@example.org"


def triggers() -> dict[str, str]:
    """All of the database, by their names."""
    by_vendor = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(by_vendor[connection.vendor])
        return dict(cursor.fetchall())


def test_reasons_are_sealed_and_every_trigger_is_there_again(visit: Appointment) -> None:
    visit.cancelation_reason = "Snow"
    visit.save()
    for reason in ("", "Snow"):
        AppointmentChange.objects.create(
            appointment=visit,
            change="booked",
            revision=0,
            start=visit.start,
            practitioner=visit.practitioner,
            reason=reason,
        )
    now = triggers()

    with before("booking", "0006_patients_end"), connection.cursor() as cursor:
        cursor.execute("SELECT cancelation_reason FROM booking_appointment")
        assert cursor.fetchall() == [("Snow",)]
        cursor.execute("SELECT reason FROM booking_appointmentchange ORDER BY id")
        assert cursor.fetchall() == [("",), ("Snow",)]
        assert triggers().keys() < now.keys()
        with pytest.raises(IntegrityError, match="appointment_change_append_only"):
            cursor.execute("UPDATE booking_appointmentchange SET reason = 'Rain' WHERE reason <> ''")

    assert triggers() == now
    assert Appointment.objects.get().cancelation_reason == "Snow"
    assert [change.reason for change in AppointmentChange.objects.order_by("pk")] == ["", "Snow"]
