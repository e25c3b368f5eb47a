"""Accounts of patients: a user without an address of their own, codes by mail, and what a clinic asks of them."""

import uuid

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.db import migrations, models

import accounts.keys.fields
from accounts.database import VendorSQL

# By hand: Django would make SQLite's table anew, which triggers of other tables name.
ADD = "ALTER TABLE accounts_clinic ADD COLUMN patients_need_factor bool NOT NULL DEFAULT false"
REMOVE = "ALTER TABLE accounts_clinic DROP COLUMN patients_need_factor"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0015_codes_wait_by_network"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                VendorSQL(
                    forward={"postgresql": [ADD], "sqlite": [ADD]}, backward={"postgresql": [REMOVE], "sqlite": [REMOVE]}
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="clinic",
                    name="patients_need_factor",
                    field=models.BooleanField(
                        default=False,
                        help_text=(
                            "Patients with an account must have a passkey or an authenticator app; "
                            "else they are offered it."
                        ),
                        verbose_name="second factor for patients",
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="user", name="user_email_unique"),
        migrations.AddField(
            model_name="user",
            name="patient",
            field=models.OneToOneField(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="account",
                to="accounts.patient",
                verbose_name="patient",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("email", ""), _negated=True),
                name="user_email_unique",
                violation_error_message="A user with this e-mail exists already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("patient", None), models.Q(("email", ""), _negated=True)),
                    models.Q(
                        ("email", ""),
                        ("is_staff", False),
                        ("is_superuser", False),
                        ("name", ""),
                        ("patient__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="user_has_email_or_is_a_patient",
            ),
        ),
        migrations.CreateModel(
            name="PatientCode",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("es", "Spanish")], max_length=8, verbose_name="language"
                    ),
                ),
                ("code_hash", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("failures", models.PositiveSmallIntegerField(default=0, verbose_name="wrong codes")),
                ("used_at", models.DateTimeField(null=True, verbose_name="used")),
                ("email", accounts.keys.fields.EncryptedEmailField(max_length=254, verbose_name="e-mail")),
                (
                    "patient",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.patient",
                        verbose_name="patient",
                    ),
                ),
            ],
            options={
                "verbose_name": "code of a patient",
                "verbose_name_plural": "codes of patients",
                "ordering": ["-created_at"],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("failures__lte", 5)), name="patient_code_few_tries"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("used_at", None), models.Q(("code_hash", ""), _negated=True), _connector="OR"
                        ),
                        name="patient_code_used_had_a_code",
                    ),
                ],
            },
        ),
    ]
