"""Each row of the audit trail gets a digest, and places in a chain; the database refuses to change any of it.

Rows that are there already are taken as they are now: their digests are made here, and an event "audit.begin" says up
to which id. That they were the same before, nothing can tell.
"""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from accounts.audit.digests import row_digest
from accounts.database import VendorSQL

BATCH = 500
APPEND_ONLY = ["accounts_auditevent", "accounts_auditseal", "accounts_auditanchor"]


def digest_what_is_there(apps, schema_editor):
    AuditEvent = apps.get_model("accounts", "AuditEvent")
    last = 0
    while events := list(AuditEvent.objects.filter(id__gt=last).order_by("id")[:BATCH]):
        for event in events:
            event.uid = uuid.uuid4()
            event.digest = row_digest(event)
        AuditEvent.objects.bulk_update(events, ["uid", "digest"])
        last = events[-1].id


def queue_what_is_there(apps, schema_editor):
    AuditEvent = apps.get_model("accounts", "AuditEvent")
    last = AuditEvent.objects.order_by("id").last()
    if last is None:
        return
    schema_editor.execute("INSERT INTO accounts_unsealedevent (event_id) SELECT id FROM accounts_auditevent")
    begin = AuditEvent(uid=uuid.uuid4(), subtype="audit.begin", action="E", detail={"last": last.id})
    begin.digest = row_digest(begin)
    begin.save()


def refuse_on_sqlite(table):
    return [
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END"
        for verb in ("UPDATE", "DELETE")
    ]


def refuse_on_postgresql(table):
    return [
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
        f"CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    ]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_clinic_encryption")]

    operations = [
        # SQLite loses them when a column is added; the rows get digests without them.
        VendorSQL(
            forward={
                "postgresql": [
                    "DROP TRIGGER audit_no_truncate ON accounts_auditevent",
                    "DROP TRIGGER audit_append_only ON accounts_auditevent",
                ],
                "sqlite": ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"],
            },
            backward={
                "postgresql": [
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
        ),
        migrations.AddField("auditevent", "uid", models.UUIDField(null=True, editable=False)),
        migrations.AddField(
            "auditevent", "digest", models.CharField(default="", max_length=64, editable=False), preserve_default=False
        ),
        migrations.AlterField(
            "auditevent",
            "recorded",
            models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name="recorded"),
        ),
        migrations.RunPython(digest_what_is_there, migrations.RunPython.noop),
        migrations.AlterField(
            "auditevent", "uid", models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
        ),
        migrations.CreateModel(
            name="AuditAnchor",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
                ("signature", models.CharField(max_length=128)),
            ],
            options={"verbose_name": "audit anchor"},
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                (
                    "event",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="accounts.auditevent"
                    ),
                ),
            ],
            options={"verbose_name": "audit seal"},
        ),
        migrations.CreateModel(
            name="UnsealedEvent",
            fields=[
                (
                    "event",
                    models.OneToOneField(
                        db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True,
                        related_name="+", serialize=False, to="accounts.auditevent",
                    ),
                ),
            ],
            options={"verbose_name": "unsealed event"},
        ),
        VendorSQL(
            forward={
                "postgresql": [
                    *(statement for table in APPEND_ONLY for statement in refuse_on_postgresql(table)),
                    """
                    CREATE FUNCTION audit_await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        INSERT INTO accounts_unsealedevent (event_id) VALUES (NEW.id);
                        RETURN NULL;
                    END $$
                    """,
                    """
                    CREATE TRIGGER await_seal AFTER INSERT ON accounts_auditevent
                    FOR EACH ROW EXECUTE FUNCTION audit_await_seal()
                    """,
                ],
                "sqlite": [
                    *(statement for table in APPEND_ONLY for statement in refuse_on_sqlite(table)),
                    """
                    CREATE TRIGGER audit_await_seal AFTER INSERT ON accounts_auditevent
                    BEGIN INSERT INTO accounts_unsealedevent (event_id) VALUES (NEW.id); END
                    """,
                ],
            },
            backward={
                "postgresql": [
                    "DROP TRIGGER await_seal ON accounts_auditevent",
                    "DROP FUNCTION audit_await_seal()",
                    *(f"DROP TRIGGER {name} ON {table}" for table in APPEND_ONLY for name in ("append_only", "no_truncate")),
                ],
                "sqlite": [
                    "DROP TRIGGER audit_await_seal",
                    *(f"DROP TRIGGER {table}_no_{verb}" for table in APPEND_ONLY for verb in ("update", "delete")),
                ],
            },
        ),
        # Last: PostgreSQL alters no table of which it has rows of this transaction to check.
        migrations.RunPython(queue_what_is_there, migrations.RunPython.noop),
    ]
