"""The audit trail takes new rows only: the database refuses UPDATE and DELETE (45 CFR 164.312(c)(1))."""

from django.db import migrations

from accounts.database import VendorSQL


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        VendorSQL(
            forward={
                "postgresql": [
                    """
                    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        RAISE EXCEPTION 'audit_append_only' USING ERRCODE = 'integrity_constraint_violation';
                    END $$
                    """,
                    """
                    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON accounts_auditevent
                    FOR EACH ROW EXECUTE FUNCTION audit_append_only()
                    """,
                    """
                    CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON accounts_auditevent
                    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
                    """,
                ],
                "sqlite": [
                    """
                    CREATE TRIGGER audit_no_update BEFORE UPDATE ON accounts_auditevent
                    BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
                    """,
                    """
                    CREATE TRIGGER audit_no_delete BEFORE DELETE ON accounts_auditevent
                    BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
                    """,
                ],
            },
            backward={
                "postgresql": [
                    "DROP TRIGGER audit_no_truncate ON accounts_auditevent",
                    "DROP TRIGGER audit_append_only ON accounts_auditevent",
                    "DROP FUNCTION audit_append_only()",
                ],
                "sqlite": ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"],
            },
        )
    ]
