"""A published summary stays word for word as it is: no change, no removal.

Changing keys (rotate_keys) seals its columns anew; so those may be written, each only under another key than before,
and with nothing else changed.
"""

from django.db import migrations

from accounts.database import VendorSQL

TABLE = "summary_composition"
SEALED = ("talked_about", "what_to_do", "when_to_get_help", "correction")
PLAIN = ("id", "appointment_id", "version", "status", "language", "author_id", "author_name", "saves", "saved_at",
         "published_at")  # fmt: skip


def key_of(vendor: str, column: str) -> str:
    """The key's id in ``e1:<key id>:<text>`` (accounts.keys.sealing); nothing where the column is empty."""
    if vendor == "postgresql":
        return f"split_part({column}, ':', 2)"
    return f"substr({column}, 4, instr(substr({column}, 4), ':') - 1)"


def is_sealed_anew(vendor: str) -> str:
    """Whether NEW is OLD, with columns sealed under other keys."""
    same = "IS NOT DISTINCT FROM" if vendor == "postgresql" else "IS"
    parts = [f"NEW.{name} {same} OLD.{name}" for name in PLAIN]
    for name in SEALED:
        keys = f"{key_of(vendor, f'NEW.{name}')} <> {key_of(vendor, f'OLD.{name}')}"
        parts.append(f"(NEW.{name} = OLD.{name} OR (NEW.{name} <> '' AND OLD.{name} <> '' AND {keys}))")
    return " AND ".join(parts)


class Migration(migrations.Migration):
    dependencies = [("summary", "0001_initial")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    """
                    CREATE FUNCTION summary_as_published() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        RAISE EXCEPTION 'summary_as_published' USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                    f"""
                    CREATE TRIGGER summary_no_change BEFORE UPDATE ON {TABLE} FOR EACH ROW
                    WHEN (OLD.status <> 'preliminary' AND NOT ({is_sealed_anew("postgresql")}))
                    EXECUTE FUNCTION summary_as_published()
                    """,
                    f"""
                    CREATE TRIGGER summary_no_removal BEFORE DELETE ON {TABLE} FOR EACH ROW
                    WHEN (OLD.status <> 'preliminary') EXECUTE FUNCTION summary_as_published()
                    """,
                    f"""
                    CREATE TRIGGER summary_no_truncate BEFORE TRUNCATE ON {TABLE}
                    FOR EACH STATEMENT EXECUTE FUNCTION summary_as_published()
                    """,
                ],
                "sqlite": [
                    f"""
                    CREATE TRIGGER summary_no_change BEFORE UPDATE ON {TABLE}
                    WHEN OLD.status <> 'preliminary' AND NOT ({is_sealed_anew("sqlite")})
                    BEGIN SELECT RAISE(ABORT, 'summary_as_published'); END
                    """,
                    f"""
                    CREATE TRIGGER summary_no_removal BEFORE DELETE ON {TABLE}
                    WHEN OLD.status <> 'preliminary'
                    BEGIN SELECT RAISE(ABORT, 'summary_as_published'); END
                    """,
                ],
            },
            backward={
                "postgresql": [
                    f"DROP TRIGGER summary_no_truncate ON {TABLE}",
                    f"DROP TRIGGER summary_no_removal ON {TABLE}",
                    f"DROP TRIGGER summary_no_change ON {TABLE}",
                    "DROP FUNCTION summary_as_published()",
                ],
                "sqlite": ["DROP TRIGGER summary_no_removal", "DROP TRIGGER summary_no_change"],
            },
        )
    ]
