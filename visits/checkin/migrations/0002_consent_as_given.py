"""A published consent text and a consent given stay word for word as they were."""

from django.db import migrations

from accounts.database import VendorSQL

TABLES = ("checkin_consenttext", "checkin_consent")


class Migration(migrations.Migration):
    dependencies = [("checkin", "0001_initial")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    """
                    CREATE FUNCTION consent_as_given() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        RAISE EXCEPTION 'consent_as_given' USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                    *(
                        f"CREATE TRIGGER {table}_as_given BEFORE UPDATE ON {table} "
                        "FOR EACH ROW EXECUTE FUNCTION consent_as_given()"
                        for table in TABLES
                    ),
                ],
                "sqlite": [
                    f"CREATE TRIGGER {table}_as_given BEFORE UPDATE ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'consent_as_given'); END"
                    for table in TABLES
                ],
            },
            backward={
                "postgresql": [
                    *(f"DROP TRIGGER {table}_as_given ON {table}" for table in TABLES),
                    "DROP FUNCTION consent_as_given()",
                ],
                "sqlite": [f"DROP TRIGGER {table}_as_given" for table in TABLES],
            },
        )
    ]
