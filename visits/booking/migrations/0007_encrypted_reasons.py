"""Why a visit was cancelled or moved is sealed.

A visit's history still only grows: its words can be taken out, and sealed anew when keys are changed, nothing else.
"""

from django.db import migrations

from accounts.database import VendorSQL, WithoutTriggers
from accounts.keys.fields import EncryptedTextField
from accounts.keys.migrating import encrypt, is_sealed_anew

KEPT = (
    "id", "appointment_id", "change", "at", "by_id", "role", "revision", "start", "practitioner_id", "old_start",
    "old_practitioner_id",
)  # fmt: skip
SAME = " AND ".join(f'NEW."{column}" IS OLD."{column}"' for column in KEPT)
REMOVED = "NEW.reason = ''"


def pg_function(words: str) -> str:
    """Lets pass an update of nothing but the words, where ``words`` (a condition) holds of them."""
    return f"""
        CREATE OR REPLACE FUNCTION appointment_change_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND ({words}) AND to_jsonb(NEW) - 'reason' = to_jsonb(OLD) - 'reason' THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'appointment_change_append_only'
            USING ERRCODE = 'integrity_constraint_violation';
        END $$
    """


def trigger(words: str) -> str:
    return f"""
        CREATE TRIGGER appointment_change_no_update BEFORE UPDATE ON booking_appointmentchange
        WHEN NOT (({words}) AND {SAME})
        BEGIN SELECT RAISE(ABORT, 'appointment_change_append_only'); END
    """


PG_TRIGGER = """
    CREATE TRIGGER appointment_change_append_only BEFORE UPDATE OR DELETE ON booking_appointmentchange
    FOR EACH ROW EXECUTE FUNCTION appointment_change_append_only()
"""
AWAY = {
    "postgresql": ["DROP TRIGGER appointment_change_append_only ON booking_appointmentchange"],
    "sqlite": ["DROP TRIGGER appointment_change_no_update"],
}
BEFORE = {"postgresql": [pg_function(REMOVED), PG_TRIGGER], "sqlite": [trigger(REMOVED)]}
AFTER = {
    "postgresql": [pg_function(f"{REMOVED} OR {is_sealed_anew('postgresql', 'reason')}"), PG_TRIGGER],
    "sqlite": [trigger(f"{REMOVED} OR {is_sealed_anew('sqlite', 'reason')}")],
}


class Migration(migrations.Migration):
    dependencies = [("booking", "0006_patients_end")]

    operations = [
        VendorSQL(forward=AWAY, backward=BEFORE),
        WithoutTriggers(
            *encrypt(
                "booking",
                "appointment",
                cancelation_reason=EncryptedTextField("why cancelled", max_length=200, blank=True),
            ),
            *encrypt(
                "booking",
                "appointmentchange",
                reason=EncryptedTextField("why", max_length=200, bound_to="appointment_id", blank=True),
            ),
        ),
        VendorSQL(forward=AFTER, backward=AWAY),
    ]
