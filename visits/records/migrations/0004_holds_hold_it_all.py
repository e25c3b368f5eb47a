"""A legal hold keeps all of a record, not only who and when: whoever asks, the database removes none of it meanwhile.

What is settled cannot be overwritten either, except that keys change. What is still being written (a draft, answers
and details before a visit, a message before it is sent) can be written on, and not removed.
"""

from dataclasses import dataclass

from django.db import migrations

from accounts.database import VendorSQL
from accounts.keys.migrating import is_sealed_anew

IN_FORCE = "SELECT 1 FROM records_legalhold AS hold WHERE hold.ended_at IS NULL AND hold.patient_id = "
VISIT = "(SELECT visit.patient_id FROM booking_appointment AS visit WHERE visit.id = OLD.{column})"
RAISE = "RAISE EXCEPTION 'record_on_hold' USING ERRCODE = 'integrity_constraint_violation';"
SAME = {"postgresql": "IS NOT DISTINCT FROM", "sqlite": "IS"}
OF_VISIT = VISIT.format(column="appointment_id")
OF_SEAT = (
    "(SELECT visit.patient_id FROM room_encounter AS encounter "
    "JOIN booking_appointment AS visit ON visit.id = encounter.appointment_id WHERE encounter.id = {encounter})"
)
SEAT = "(SELECT seat.encounter_id FROM room_seat AS seat WHERE seat.id = OLD.seat_id)"
# A link to a visit or its summary: the patient's, of who acts for them, a guest's.
OF_LINK = (
    "COALESCE(OLD.patient_id, (SELECT person.patient_id FROM accounts_relatedperson AS person "
    f"WHERE person.id = OLD.related_person_id), {VISIT.format(column='resource_id')})"
)


# From then on patients change nothing of what they said before a visit.
IS_OVER = (
    "EXISTS (SELECT 1 FROM booking_appointment AS visit WHERE visit.id = OLD.appointment_id "
    "AND visit.status IN ('fulfilled', 'cancelled'))"
)


@dataclass(frozen=True)
class Kept:
    """``patient``: SQL for whose row OLD is. Of the columns, ``there`` are never emptied; once the row is settled
    ``plain`` stay, and ``sealed`` are only sealed anew. ``settled``: when that is, by OLD; ``over``: and by its visit.
    """

    patient: str
    there: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()
    settled: str = "TRUE"
    over: str = "TRUE"

    def taken(self, vendor: str) -> str:
        """Whether an update takes something away or writes over it, where the row is settled."""
        parts = [f"NOT {is_sealed_anew(vendor, name)}" for name in self.sealed]
        parts += [f'NOT (NEW."{name}" {SAME[vendor]} OLD."{name}")' for name in self.plain]
        return f"({self.settled}) AND ({' OR '.join(parts)})" if parts else ""

    def emptied(self) -> str:
        return " OR ".join(f"(OLD.{name} <> '' AND NEW.{name} = '')" for name in self.there)


MESSAGE = (
    "id", "appointment_id", "patient_id", "related_person_id", "revision", "kind", "lead", "channel", "serial",
    "reference", "details", "start", "planned_at", "provider_id",
)  # fmt: skip
DELETED = {
    "accounts_accesslink": OF_LINK,
    "accounts_relatedperson": "OLD.patient_id",
    "checkin_checkin": OF_VISIT,
    "intake_questionnaireresponse": OF_VISIT,
    "reminders_communication": "OLD.patient_id",
    "reminders_contactpreference": "OLD.patient_id",
    "room_encounter": OF_VISIT,
    "room_seat": OF_SEAT.format(encounter="OLD.encounter_id"),
    "room_lineminute": OF_SEAT.format(encounter=SEAT),
    "room_presence": OF_SEAT.format(encounter=SEAT),
    "summary_composition": OF_VISIT,
    "waiting_ticket": OF_VISIT,
    "waitlist_waitlistentry": OF_VISIT,
}
UPDATED = {
    "accounts_accesslink": Kept(OF_LINK, plain=("name", "relationship", "resource_id", "created_at")),
    "accounts_emergencyaccess": Kept("OLD.patient_id", there=("reason", "note")),
    "accounts_relatedperson": Kept("OLD.patient_id", there=("given_name", "family_name")),
    "booking_appointment": Kept("OLD.patient_id", there=("cancelation_reason",)),
    "booking_appointmentchange": Kept(OF_VISIT, there=("reason",)),
    "checkin_checkin": Kept(OF_VISIT, sealed=("callback_phone", "location", "emergency_contact"), over=IS_OVER),
    "intake_questionnaireresponse": Kept(OF_VISIT, there=("answers",), sealed=("answers",), over=IS_OVER),
    "records_legalhold": Kept("OLD.patient_id", there=("reason",)),
    "reminders_communication": Kept(
        "OLD.patient_id", plain=MESSAGE, sealed=("address",), settled="OLD.state NOT IN ('planned', 'claimed')"
    ),
    "room_seat": Kept(OF_SEAT.format(encounter="OLD.encounter_id"), plain=("name",)),
}


def function(name: str, condition: str, row: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF {condition} THEN {RAISE} END IF; RETURN {row}; END $$"
    )


def on_delete(vendor: str, table: str, patient: str) -> list[str]:
    held = f"EXISTS ({IN_FORCE}{patient})"
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {table}_on_hold BEFORE DELETE ON {table} WHEN {held} "
            "BEGIN SELECT RAISE(ABORT, 'record_on_hold'); END"
        ]
    return [
        function(f"{table}_on_hold", held, "OLD"),
        f"CREATE TRIGGER on_hold BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_on_hold()",
    ]


def on_update(vendor: str, table: str, kept: Kept) -> list[str]:
    """One trigger for what is never emptied, one for what is settled: most updates do neither and ask for no hold."""
    found = []
    for name, change, condition in (
        ("emptied", kept.emptied(), "TRUE"),
        ("overwritten", kept.taken(vendor), kept.over),
    ):
        held = f"EXISTS ({IN_FORCE}{kept.patient}) AND {condition}"
        if not change:
            continue
        if vendor == "sqlite":
            found.append(
                f"CREATE TRIGGER {table}_not_{name} BEFORE UPDATE ON {table} WHEN ({change}) AND {held} "
                "BEGIN SELECT RAISE(ABORT, 'record_on_hold'); END"
            )
            continue
        found += [
            function(f"{table}_not_{name}", held, "NEW"),
            f"CREATE TRIGGER not_{name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({change}) "
            f"EXECUTE FUNCTION {table}_not_{name}()",
        ]
    return found


def created(vendor: str) -> list[str]:
    return [
        *(sql for table, patient in DELETED.items() for sql in on_delete(vendor, table, patient)),
        *(sql for table, kept in UPDATED.items() for sql in on_update(vendor, table, kept)),
    ]


def dropped(vendor: str) -> list[str]:
    """Of all that was created, the newest first."""
    found = []
    for statement in reversed(created(vendor)):
        words = statement.split()
        if words[1] == "FUNCTION":
            found.append(f"DROP FUNCTION {words[2]}")
        else:
            table = f" ON {words[words.index('ON') + 1]}" if vendor == "postgresql" else ""
            found.append(f"DROP TRIGGER {words[2]}{table}")
    return found


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0003_erased_summaries"),
        ("accounts", "0012_emergency_access"),
        ("booking", "0007_encrypted_reasons"),
        ("checkin", "0003_encrypted_details"),
        ("intake", "0002_as_answered"),
        ("reminders", "0007_related_persons"),
        ("room", "0008_related_persons"),
        ("summary", "0002_as_published"),
        ("waiting", "0003_running_late"),
        ("waitlist", "0001_initial"),
    ]

    operations = [
        VendorSQL(
            forward={vendor: created(vendor) for vendor in SAME},
            backward={vendor: dropped(vendor) for vendor in SAME},
        )
    ]
