"""What the database refuses beside ``0002``, whose triggers went with the SQLite tables that ``0003`` rebuilt:

* two active visits of one practitioner that overlap, with what is kept free around them;
* two holds of one practitioner that overlap, a hold over an active visit, an active visit over a hold;
* a change, once noted, altered or removed.

An exclusion constraint sees one table only. So on PostgreSQL a trigger looks at the other one, and takes the
practitioner's row first: of two that come at once, the second looks when the first has been committed.
"""

from django.db import migrations

from accounts.database import VendorSQL

ACTIVE = "('booked', 'arrived', 'fulfilled')"
TABLES = {"appointment": "booking_appointment", "hold": "booking_hold"}

NO_OVERLAP = f"""
    ALTER TABLE booking_appointment ADD CONSTRAINT appointment_practitioner_no_overlap
    EXCLUDE USING gist (practitioner_id WITH =, tstzrange({{start}}, {{end}}, '[)') WITH &&)
    WHERE (status IN {ACTIVE})
"""


def function(what: str, other: str) -> str:
    """Refuses a row of ``what`` over one of ``other``; both are "appointment" or "hold"."""
    return f"""
        CREATE FUNCTION {what}_not_over_{other}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM accounts_practitioner WHERE id = NEW.practitioner_id FOR NO KEY UPDATE;
            IF EXISTS (
                SELECT 1 FROM {TABLES[other]} other
                WHERE other.practitioner_id = NEW.practitioner_id AND {active("other", other)}
                AND other.busy_start < NEW.busy_end AND NEW.busy_start < other.busy_end
            ) THEN
                RAISE EXCEPTION '{what}_not_over_{other}' USING ERRCODE = 'exclusion_violation';
            END IF;
            RETURN NEW;
        END $$
    """


def pg_trigger(what: str, other: str) -> str:
    return f"""
        CREATE TRIGGER {what}_not_over_{other} BEFORE INSERT OR UPDATE OF practitioner_id, busy_start, busy_end{
        ", status" if what == "appointment" else ""
    } ON {TABLES[what]} FOR EACH ROW WHEN ({active("NEW", what)}) EXECUTE FUNCTION {what}_not_over_{other}()
    """


def active(row: str, table: str) -> str:
    return f"{row}.status IN {ACTIVE}" if table == "appointment" else "TRUE"


def trigger(name: str, what: str, other: str, event: str, who: str, start: str, end: str) -> str:
    itself = "AND other.id <> NEW.id" if what == other else ""
    return f"""
        CREATE TRIGGER {name}_{event.lower()} BEFORE {event} ON {TABLES[what]}
        WHEN {active("NEW", what)}
        BEGIN
            SELECT RAISE(ABORT, '{name}') WHERE EXISTS (
                SELECT 1 FROM {TABLES[other]} other
                WHERE other.{who}_id = NEW.{who}_id {itself} AND {active("other", other)}
                AND other.{start} < NEW.{end} AND NEW.{start} < other.{end}
            );
        END
    """


OVERLAPS = [
    # name, of which table, over which, of whom, from, to
    ("appointment_practitioner_no_overlap", "appointment", "appointment", "practitioner", "busy_start", "busy_end"),
    ("appointment_patient_no_overlap", "appointment", "appointment", "patient", '"start"', '"end"'),
    ("appointment_not_over_hold", "appointment", "hold", "practitioner", "busy_start", "busy_end"),
    ("hold_not_over_appointment", "hold", "appointment", "practitioner", "busy_start", "busy_end"),
    ("hold_no_overlap", "hold", "hold", "practitioner", "busy_start", "busy_end"),
]
EVENTS = ("INSERT", "UPDATE")


class Migration(migrations.Migration):
    dependencies = [("booking", "0003_holds_and_history")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    "ALTER TABLE booking_appointment DROP CONSTRAINT appointment_practitioner_no_overlap",
                    NO_OVERLAP.format(start="busy_start", end="busy_end"),
                    """
                    ALTER TABLE booking_hold ADD CONSTRAINT hold_no_overlap
                    EXCLUDE USING gist (practitioner_id WITH =, tstzrange(busy_start, busy_end, '[)') WITH &&)
                    """,
                    function("appointment", "hold"),
                    pg_trigger("appointment", "hold"),
                    function("hold", "appointment"),
                    pg_trigger("hold", "appointment"),
                    """
                    CREATE FUNCTION appointment_change_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        RAISE EXCEPTION 'appointment_change_append_only'
                        USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                    """
                    CREATE TRIGGER appointment_change_append_only BEFORE UPDATE OR DELETE ON booking_appointmentchange
                    FOR EACH ROW EXECUTE FUNCTION appointment_change_append_only()
                    """,
                ],
                "sqlite": [
                    *(
                        trigger(name, what, other, event, who, start, end)
                        for name, what, other, who, start, end in OVERLAPS
                        for event in EVENTS
                    ),
                    *(
                        f"""
                        CREATE TRIGGER appointment_change_no_{event.lower()} BEFORE {event} ON booking_appointmentchange
                        BEGIN SELECT RAISE(ABORT, 'appointment_change_append_only'); END
                        """
                        for event in ("UPDATE", "DELETE")
                    ),
                ],
            },
            backward={
                "postgresql": [
                    "DROP TRIGGER appointment_change_append_only ON booking_appointmentchange",
                    "DROP FUNCTION appointment_change_append_only()",
                    "DROP TRIGGER hold_not_over_appointment ON booking_hold",
                    "DROP FUNCTION hold_not_over_appointment()",
                    "DROP TRIGGER appointment_not_over_hold ON booking_appointment",
                    "DROP FUNCTION appointment_not_over_hold()",
                    "ALTER TABLE booking_hold DROP CONSTRAINT hold_no_overlap",
                    "ALTER TABLE booking_appointment DROP CONSTRAINT appointment_practitioner_no_overlap",
                    NO_OVERLAP.format(start='"start"', end='"end"'),
                ],
                "sqlite": [
                    *(f"DROP TRIGGER {name}_{event.lower()}" for name, *_ in OVERLAPS for event in EVENTS),
                    *(f"DROP TRIGGER appointment_change_no_{event}" for event in ("update", "delete")),
                ],
            },
        )
    ]
