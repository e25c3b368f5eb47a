"""A published summary is still as it is, and nobody removes it, until the patient is erased: then it goes with them."""

from django.db import migrations

from accounts.database import VendorSQL

TABLE = "summary_composition"
ERASED = (
    "SELECT 1 FROM booking_appointment AS visit JOIN accounts_patient AS patient ON patient.id = visit.patient_id "
    "WHERE visit.id = OLD.appointment_id AND patient.erased_at IS NOT NULL"
)


class Migration(migrations.Migration):
    dependencies = [("records", "0002_holds_hold"), ("summary", "0002_as_published")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    f"DROP TRIGGER summary_no_removal ON {TABLE}",
                    f"""
                    CREATE FUNCTION summary_until_erased() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF EXISTS ({ERASED}) THEN
                            RETURN OLD;
                        END IF;
                        RAISE EXCEPTION 'summary_as_published' USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                    f"""
                    CREATE TRIGGER summary_no_removal BEFORE DELETE ON {TABLE} FOR EACH ROW
                    WHEN (OLD.status <> 'preliminary') EXECUTE FUNCTION summary_until_erased()
                    """,
                ],
                "sqlite": [
                    "DROP TRIGGER summary_no_removal",
                    f"""
                    CREATE TRIGGER summary_no_removal BEFORE DELETE ON {TABLE}
                    WHEN OLD.status <> 'preliminary' AND NOT EXISTS ({ERASED})
                    BEGIN SELECT RAISE(ABORT, 'summary_as_published'); END
                    """,
                ],
            },
            backward={
                "postgresql": [
                    f"DROP TRIGGER summary_no_removal ON {TABLE}",
                    "DROP FUNCTION summary_until_erased()",
                    f"""
                    CREATE TRIGGER summary_no_removal BEFORE DELETE ON {TABLE} FOR EACH ROW
                    WHEN (OLD.status <> 'preliminary') EXECUTE FUNCTION summary_as_published()
                    """,
                ],
                "sqlite": [
                    "DROP TRIGGER summary_no_removal",
                    f"""
                    CREATE TRIGGER summary_no_removal BEFORE DELETE ON {TABLE}
                    WHEN OLD.status <> 'preliminary'
                    BEGIN SELECT RAISE(ABORT, 'summary_as_published'); END
                    """,
                ],
            },
        )
    ]
