"""TRUNCATE fires no trigger of rows: of tables whose rows stay, or may be on hold, it is refused. SQLite has none."""

from django.db import migrations

from accounts.database import VendorSQL

TABLES = (
    "accounts_accesslink",
    "accounts_emergencyaccess",
    "accounts_patient",
    "accounts_relatedperson",
    "booking_appointment",
    "booking_appointmentchange",
    "checkin_checkin",
    "checkin_consent",
    "intake_questionnaireresponse",
    "records_legalhold",
    "reminders_communication",
    "reminders_contactpreference",
    "room_encounter",
    "room_lineminute",
    "room_presence",
    "room_seat",
    "waiting_ticket",
    "waitlist_waitlistentry",
)
REFUSE = """
    CREATE FUNCTION rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'rows_stay' USING ERRCODE = 'integrity_constraint_violation'; END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_record_numbers"),
        ("records", "0005_held_rows_stay"),
    ]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    REFUSE,
                    *(
                        f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table} "
                        "FOR EACH STATEMENT EXECUTE FUNCTION rows_stay()"
                        for table in TABLES
                    ),
                ],
                "sqlite": [],
            },
            backward={"postgresql": ["DROP FUNCTION rows_stay() CASCADE"], "sqlite": []},
        )
    ]
