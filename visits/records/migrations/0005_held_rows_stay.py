"""A legal hold keeps rows with whom they are about: none is moved to another patient, visit or clinic meanwhile."""

from django.db import migrations

from accounts.database import VendorSQL

IN_FORCE = "SELECT 1 FROM records_legalhold AS hold WHERE hold.ended_at IS NULL AND hold.patient_id = "
RAISE = "RAISE EXCEPTION 'record_on_hold' USING ERRCODE = 'integrity_constraint_violation';"
SAME = {"postgresql": "IS NOT DISTINCT FROM", "sqlite": "IS"}
OWN = "OLD.patient_id"
OF_VISIT = "(SELECT visit.patient_id FROM booking_appointment AS visit WHERE visit.id = OLD.appointment_id)"
OF_ENCOUNTER = (
    "(SELECT visit.patient_id FROM room_encounter AS encounter "
    "JOIN booking_appointment AS visit ON visit.id = encounter.appointment_id WHERE encounter.id = OLD.encounter_id)"
)
OF_SEAT = (
    "(SELECT visit.patient_id FROM room_seat AS seat JOIN room_encounter AS encounter ON encounter.id = seat.encounter_id "
    "JOIN booking_appointment AS visit ON visit.id = encounter.appointment_id WHERE seat.id = OLD.seat_id)"
)
# Whose a row is, and the columns that say so. Agreements, changes of visits and emergencies never change at all.
STAYS = {
    "accounts_accesslink": (OWN, "clinic_id", "patient_id", "related_person_id"),
    "accounts_patient": ("OLD.id", "clinic_id"),
    "accounts_relatedperson": (OWN, "patient_id"),
    "booking_appointment": (OWN, "clinic_id", "patient_id"),
    "checkin_checkin": (OF_VISIT, "appointment_id"),
    "intake_questionnaireresponse": (OF_VISIT, "appointment_id"),
    "records_legalhold": (OWN, "patient_id"),
    "reminders_communication": (OWN, "appointment_id", "patient_id"),
    "reminders_contactpreference": (OWN, "patient_id"),
    "room_encounter": (OF_VISIT, "appointment_id"),
    "room_lineminute": (OF_SEAT, "seat_id"),
    "room_presence": (OF_SEAT, "seat_id"),
    "room_seat": (OF_ENCOUNTER, "encounter_id"),
    "summary_composition": (OF_VISIT, "appointment_id"),
    "waiting_ticket": (OF_VISIT, "appointment_id"),
    "waitlist_waitlistentry": (OF_VISIT, "appointment_id"),
}


def created(vendor: str) -> list[str]:
    found = []
    for table, (patient, *columns) in STAYS.items():
        moved = " OR ".join(f"NOT (NEW.{name} {SAME[vendor]} OLD.{name})" for name in columns)
        held = f"EXISTS ({IN_FORCE}{patient})"
        if vendor == "sqlite":
            found.append(
                f"CREATE TRIGGER {table}_not_moved BEFORE UPDATE ON {table} WHEN ({moved}) AND {held} "
                "BEGIN SELECT RAISE(ABORT, 'record_on_hold'); END"
            )
            continue
        found += [
            f"CREATE FUNCTION {table}_not_moved() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {held} THEN {RAISE} END IF; RETURN NEW; END $$",
            f"CREATE TRIGGER not_moved BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({moved}) "
            f"EXECUTE FUNCTION {table}_not_moved()",
        ]
    return found


def dropped(vendor: str) -> list[str]:
    if vendor == "sqlite":
        return [f"DROP TRIGGER {table}_not_moved" for table in STAYS]
    return [f"DROP FUNCTION {table}_not_moved() CASCADE" for table in STAYS]


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0004_holds_hold_it_all"),
    ]

    operations = [
        VendorSQL(
            forward={vendor: created(vendor) for vendor in SAME},
            backward={vendor: dropped(vendor) for vendor in SAME},
        )
    ]
