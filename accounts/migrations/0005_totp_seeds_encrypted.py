"""Phones of our own, whose seeds are encrypted, in place of django-otp's.

Sessions name the device that opened them: those of before end, and people give a code once more.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.models.totp
from accounts.keys.fields import EncryptedTextField

OLD = "otp_totp_totpdevice"
KEPT = (
    "user_id", "name", "confirmed", "key", "drift", "last_t", "throttling_failure_timestamp",
    "throttling_failure_count", "created_at", "last_used_at",
)  # fmt: skip


def move(source, target, schema_editor):
    """All rows, where there is such a table; a new database has none."""
    if OLD not in schema_editor.connection.introspection.table_names():
        return
    for one in source.objects.order_by("pk"):
        made = target.objects.create(**{name: getattr(one, name) for name in KEPT})
        target.objects.filter(pk=made.pk).update(created_at=one.created_at)
    source.objects.all().delete()


def seal(apps, schema_editor):
    move(apps.get_model("accounts", "PlainTOTPDevice"), apps.get_model("accounts", "TOTPDevice"), schema_editor)


def open_(apps, schema_editor):
    move(apps.get_model("accounts", "TOTPDevice"), apps.get_model("accounts", "PlainTOTPDevice"), schema_editor)


def fields(key):
    return [
        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("name", models.CharField(help_text="The human-readable name of this device.", max_length=64)),
        ("confirmed", models.BooleanField(default=True, help_text="Is this device ready for use?")),
        (
            "throttling_failure_timestamp",
            models.DateTimeField(
                blank=True,
                default=None,
                help_text="A timestamp of the last failed verification attempt. Null if last attempt succeeded.",
                null=True,
            ),
        ),
        (
            "throttling_failure_count",
            models.PositiveIntegerField(default=0, help_text="Number of successive failed attempts."),
        ),
        (
            "created_at",
            models.DateTimeField(
                auto_now_add=True,
                blank=True,
                help_text="The date and time when this device was initially created in the system.",
                null=True,
            ),
        ),
        (
            "last_used_at",
            models.DateTimeField(
                blank=True, help_text="The most recent date and time this device was used.", null=True
            ),
        ),
        ("key", key),
        ("drift", models.SmallIntegerField(default=0)),
        ("last_t", models.BigIntegerField(default=-1)),
        (
            "user",
            models.ForeignKey(
                help_text="The user that this device belongs to.",
                on_delete=django.db.models.deletion.CASCADE,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_audit_chain")]

    operations = [
        migrations.CreateModel(
            name="TOTPDevice",
            fields=fields(
                EncryptedTextField(bound_to="user_id", default=accounts.models.totp.new_key, max_length=80)
            ),
            options={"verbose_name": "TOTP device", "ordering": ["pk"], "abstract": False},
        ),
        # The table of another app: known here for a moment, never made or removed.
        migrations.CreateModel(
            name="PlainTOTPDevice",
            fields=[
                *(
                    (name, field)
                    for name, field in fields(models.CharField(max_length=80))
                    if name != "user"
                ),
                ("user", models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")),
                # What it asks for, and all phones have.
                ("step", models.PositiveSmallIntegerField(default=30)),
                ("t0", models.BigIntegerField(default=0)),
                ("digits", models.PositiveSmallIntegerField(default=6)),
                ("tolerance", models.PositiveSmallIntegerField(default=1)),
            ],
            options={"managed": False, "db_table": OLD},
        ),
        migrations.RunPython(seal, open_),
        migrations.DeleteModel("PlainTOTPDevice"),
    ]
