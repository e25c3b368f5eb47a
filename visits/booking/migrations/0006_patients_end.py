"""Nothing is booked for who is inactive; and of a visit's history, that else only grows, the words can be taken out."""

from django.db import migrations

from accounts.database import VendorSQL

KEPT = (
    "id", "appointment_id", "change", "at", "by_id", "role", "revision", "start", "practitioner_id", "old_start",
    "old_practitioner_id",
)  # fmt: skip
SAME = " AND ".join(f'NEW."{column}" IS OLD."{column}"' for column in KEPT)
INACTIVE = "SELECT 1 FROM accounts_patient WHERE id = NEW.patient_id AND deactivated_at IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [("booking", "0005_holds_of_a_network"), ("accounts", "0010_patients_end")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    f"""
                    CREATE FUNCTION appointment_patient_active() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF EXISTS ({INACTIVE}) THEN
                            RAISE EXCEPTION 'appointment_patient_active'
                            USING ERRCODE = 'integrity_constraint_violation';
                        END IF;
                        RETURN NEW;
                    END $$
                    """,
                    """
                    CREATE TRIGGER appointment_patient_active BEFORE INSERT ON booking_appointment
                    FOR EACH ROW EXECUTE FUNCTION appointment_patient_active()
                    """,
                    """
                    CREATE OR REPLACE FUNCTION appointment_change_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF TG_OP = 'UPDATE' AND NEW.reason = ''
                           AND to_jsonb(NEW) - 'reason' = to_jsonb(OLD) - 'reason' THEN
                            RETURN NEW;
                        END IF;
                        RAISE EXCEPTION 'appointment_change_append_only'
                        USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                ],
                "sqlite": [
                    f"""
                    CREATE TRIGGER appointment_patient_active BEFORE INSERT ON booking_appointment
                    WHEN EXISTS ({INACTIVE})
                    BEGIN SELECT RAISE(ABORT, 'appointment_patient_active'); END
                    """,
                    "DROP TRIGGER appointment_change_no_update",
                    f"""
                    CREATE TRIGGER appointment_change_no_update BEFORE UPDATE ON booking_appointmentchange
                    WHEN NOT (NEW.reason = '' AND {SAME})
                    BEGIN SELECT RAISE(ABORT, 'appointment_change_append_only'); END
                    """,
                ],
            },
            backward={
                "postgresql": [
                    "DROP TRIGGER appointment_patient_active ON booking_appointment",
                    "DROP FUNCTION appointment_patient_active()",
                    """
                    CREATE OR REPLACE FUNCTION appointment_change_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        RAISE EXCEPTION 'appointment_change_append_only'
                        USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                ],
                "sqlite": [
                    "DROP TRIGGER appointment_patient_active",
                    "DROP TRIGGER appointment_change_no_update",
                    """
                    CREATE TRIGGER appointment_change_no_update BEFORE UPDATE ON booking_appointmentchange
                    BEGIN SELECT RAISE(ABORT, 'appointment_change_append_only'); END
                    """,
                ],
            },
        )
    ]
