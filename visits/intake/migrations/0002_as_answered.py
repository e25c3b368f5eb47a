"""Questions that somebody has begun to answer stay as they are, and answers with the version that they are to.

A response refers to its questionnaire, so a new one waits for whoever has that row locked. On PostgreSQL the triggers
lock it before they look for responses: of a change and an answer at the same time, the later one sees the first.
"""

from django.db import migrations

from accounts.database import VendorSQL

ITEMS, QUESTIONNAIRES = "intake_questionnaireitem", "intake_questionnaire"
RESPONSES = "intake_questionnaireresponse"
# What an answered version keeps.
KEPT = ("clinic_id", "url", "version", "title_en", "title_es")


def changed(names: tuple[str, ...], differs: str) -> str:
    return " OR ".join(f"OLD.{name} {differs} NEW.{name}" for name in names)


def answered(row: str) -> str:
    return f"EXISTS (SELECT 1 FROM {RESPONSES} WHERE questionnaire_id = {row})"


class Migration(migrations.Migration):
    dependencies = [("intake", "0001_initial")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    f"""
                    CREATE FUNCTION refuse_if_answered(asked uuid) RETURNS void LANGUAGE plpgsql AS $$
                    BEGIN
                        PERFORM 1 FROM {QUESTIONNAIRES} WHERE id = asked FOR UPDATE;
                        IF {answered("asked")} THEN
                            RAISE EXCEPTION 'as_answered' USING ERRCODE = 'integrity_constraint_violation';
                        END IF;
                    END $$
                    """,
                    """
                    CREATE FUNCTION items_as_answered() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF TG_OP <> 'INSERT' THEN
                            PERFORM refuse_if_answered(OLD.questionnaire_id);
                        END IF;
                        IF TG_OP = 'DELETE' THEN
                            RETURN OLD;
                        END IF;
                        PERFORM refuse_if_answered(NEW.questionnaire_id);
                        RETURN NEW;
                    END $$
                    """,
                    f"""
                    CREATE TRIGGER items_as_answered BEFORE INSERT OR UPDATE OR DELETE ON {ITEMS}
                    FOR EACH ROW EXECUTE FUNCTION items_as_answered()
                    """,
                    """
                    CREATE FUNCTION questionnaire_as_answered() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        PERFORM refuse_if_answered(OLD.id);
                        RETURN NEW;
                    END $$
                    """,
                    f"""
                    CREATE TRIGGER questionnaire_as_answered BEFORE UPDATE ON {QUESTIONNAIRES}
                    FOR EACH ROW WHEN ({changed(KEPT, "IS DISTINCT FROM")})
                    EXECUTE FUNCTION questionnaire_as_answered()
                    """,
                    """
                    CREATE FUNCTION response_as_answered() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        RAISE EXCEPTION 'as_answered' USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                    f"""
                    CREATE TRIGGER response_as_answered BEFORE UPDATE ON {RESPONSES}
                    FOR EACH ROW WHEN (OLD.questionnaire_id <> NEW.questionnaire_id)
                    EXECUTE FUNCTION response_as_answered()
                    """,
                ],
                "sqlite": [
                    *(
                        f"CREATE TRIGGER items_as_answered_{name} BEFORE {event} ON {ITEMS} "
                        f"WHEN {' OR '.join(answered(f'{row}.questionnaire_id') for row in rows)} "
                        "BEGIN SELECT RAISE(ABORT, 'as_answered'); END"
                        for name, event, rows in [
                            ("added", "INSERT", ["NEW"]),
                            ("changed", "UPDATE", ["OLD", "NEW"]),
                            ("deleted", "DELETE", ["OLD"]),
                        ]
                    ),
                    f"CREATE TRIGGER questionnaire_as_answered BEFORE UPDATE ON {QUESTIONNAIRES} "
                    f"WHEN ({changed(KEPT, 'IS NOT')}) AND {answered('OLD.id')} "
                    "BEGIN SELECT RAISE(ABORT, 'as_answered'); END",
                    f"CREATE TRIGGER response_as_answered BEFORE UPDATE ON {RESPONSES} "
                    "WHEN OLD.questionnaire_id <> NEW.questionnaire_id "
                    "BEGIN SELECT RAISE(ABORT, 'as_answered'); END",
                ],
            },
            backward={
                "postgresql": [
                    f"DROP TRIGGER response_as_answered ON {RESPONSES}",
                    f"DROP TRIGGER questionnaire_as_answered ON {QUESTIONNAIRES}",
                    f"DROP TRIGGER items_as_answered ON {ITEMS}",
                    "DROP FUNCTION response_as_answered()",
                    "DROP FUNCTION questionnaire_as_answered()",
                    "DROP FUNCTION items_as_answered()",
                    "DROP FUNCTION refuse_if_answered(uuid)",
                ],
                "sqlite": [
                    "DROP TRIGGER response_as_answered",
                    "DROP TRIGGER questionnaire_as_answered",
                    *(f"DROP TRIGGER items_as_answered_{name}" for name in ("added", "changed", "deleted")),
                ],
            },
        )
    ]
