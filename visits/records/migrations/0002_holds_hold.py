"""Under a legal hold the database refuses what would take a patient's record away, whoever asks it.

A later migration that makes one of these tables anew on SQLite has to make its trigger again.
"""

from django.db import migrations

from accounts.database import VendorSQL

IN_FORCE = "SELECT 1 FROM records_legalhold AS hold WHERE hold.patient_id = {patient} AND hold.ended_at IS NULL"
# Table, and whose row it is.
TABLES = {
    "accounts_patient": "OLD.id",
    "booking_appointment": "OLD.patient_id",
    "checkin_consent": "OLD.patient_id",
}
RAISE = "RAISE EXCEPTION '{name}' USING ERRCODE = 'integrity_constraint_violation';"


def function(name, body):
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"


def kept(table, patient):
    """On PostgreSQL: no row of who is held is deleted."""
    return [
        function(
            f"{table}_on_hold",
            f"IF EXISTS ({IN_FORCE.format(patient=patient)}) THEN {RAISE.format(name='record_on_hold')} END IF; "
            "RETURN OLD;",
        ),
        f"CREATE TRIGGER on_hold BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_on_hold()",
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0001_initial"),
        ("accounts", "0010_patients_end"),
        ("booking", "0006_patients_end"),
        ("checkin", "0003_encrypted_details"),
    ]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    *(sql for table, patient in TABLES.items() for sql in kept(table, patient)),
                    function(
                        "patient_not_erased_on_hold",
                        f"IF EXISTS ({IN_FORCE.format(patient='NEW.id')}) THEN "
                        f"{RAISE.format(name='record_on_hold')} END IF; RETURN NEW;",
                    ),
                    "CREATE TRIGGER not_erased_on_hold BEFORE UPDATE OF erased_at ON accounts_patient FOR EACH ROW "
                    "WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION patient_not_erased_on_hold()",
                    function("legal_hold_stays", RAISE.format(name="legal_hold_stays")),
                    "CREATE TRIGGER stays BEFORE DELETE ON records_legalhold "
                    "FOR EACH ROW EXECUTE FUNCTION legal_hold_stays()",
                ],
                "sqlite": [
                    *(
                        f"CREATE TRIGGER {table}_on_hold BEFORE DELETE ON {table} "
                        f"WHEN EXISTS ({IN_FORCE.format(patient=patient)}) "
                        "BEGIN SELECT RAISE(ABORT, 'record_on_hold'); END"
                        for table, patient in TABLES.items()
                    ),
                    "CREATE TRIGGER patient_not_erased_on_hold BEFORE UPDATE OF erased_at ON accounts_patient "
                    f"WHEN NEW.erased_at IS NOT NULL AND EXISTS ({IN_FORCE.format(patient='NEW.id')}) "
                    "BEGIN SELECT RAISE(ABORT, 'record_on_hold'); END",
                    "CREATE TRIGGER legal_hold_stays BEFORE DELETE ON records_legalhold "
                    "BEGIN SELECT RAISE(ABORT, 'legal_hold_stays'); END",
                ],
            },
            backward={
                "postgresql": [
                    "DROP TRIGGER stays ON records_legalhold",
                    "DROP FUNCTION legal_hold_stays()",
                    "DROP TRIGGER not_erased_on_hold ON accounts_patient",
                    "DROP FUNCTION patient_not_erased_on_hold()",
                    *(
                        sql
                        for table in TABLES
                        for sql in (f"DROP TRIGGER on_hold ON {table}", f"DROP FUNCTION {table}_on_hold()")
                    ),
                ],
                "sqlite": [
                    "DROP TRIGGER legal_hold_stays",
                    "DROP TRIGGER patient_not_erased_on_hold",
                    *(f"DROP TRIGGER {table}_on_hold" for table in TABLES),
                ],
            },
        )
    ]
