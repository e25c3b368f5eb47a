"""Two active visits of one practitioner, or of one patient, never overlap.

PostgreSQL has exclusion constraints. SQLite has none (Django ignores them there without a word),
so triggers do it. Django rebuilds a SQLite table for most later changes of the model, and the
triggers go with the old table: such a migration must run these statements again. The test of the
constraint runs after all migrations and fails when one forgot.
"""

from django.db import migrations

from accounts.database import VendorSQL

ACTIVE = "('booked', 'arrived', 'fulfilled')"


def exclusion(who: str) -> str:
    return f"""
        ALTER TABLE booking_appointment ADD CONSTRAINT appointment_{who}_no_overlap
        EXCLUDE USING gist ({who}_id WITH =, tstzrange("start", "end", '[)') WITH &&)
        WHERE (status IN {ACTIVE})
    """


def trigger(who: str, event: str) -> str:
    return f"""
        CREATE TRIGGER appointment_{who}_no_overlap_{event.lower()} BEFORE {event} ON booking_appointment
        WHEN NEW.status IN {ACTIVE}
        BEGIN
            SELECT RAISE(ABORT, 'appointment_{who}_no_overlap') WHERE EXISTS (
                SELECT 1 FROM booking_appointment other
                WHERE other.{who}_id = NEW.{who}_id AND other.id <> NEW.id AND other.status IN {ACTIVE}
                AND other."start" < NEW."end" AND NEW."start" < other."end"
            );
        END
    """


class Migration(migrations.Migration):
    dependencies = [("booking", "0001_initial")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    "CREATE EXTENSION IF NOT EXISTS btree_gist",
                    exclusion("practitioner"),
                    exclusion("patient"),
                ],
                "sqlite": [trigger(who, event) for who in ("practitioner", "patient") for event in ("INSERT", "UPDATE")],
            },
            backward={
                "postgresql": [
                    "ALTER TABLE booking_appointment DROP CONSTRAINT appointment_patient_no_overlap",
                    "ALTER TABLE booking_appointment DROP CONSTRAINT appointment_practitioner_no_overlap",
                ],
                "sqlite": [
                    f"DROP TRIGGER appointment_{who}_no_overlap_{event}"
                    for who in ("practitioner", "patient")
                    for event in ("insert", "update")
                ],
            },
        )
    ]
