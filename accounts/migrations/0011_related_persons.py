"""Who acts for a patient, and until when at most as a parent: the database computes it from the birth date."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.keys.fields
import accounts.models.related_person
from accounts.database import VendorSQL

# The day on which the patient is of age; who was born on 29 February, on 1 March. See Patient.of_age_on.
PASSED = """
    CREATE OR REPLACE FUNCTION accounts_grant_within_minority() RETURNS trigger AS $$
    DECLARE of_age date;
    BEGIN
        SELECT make_date(years, month, 1) + (day - 1) INTO of_age FROM (
            SELECT extract(year FROM birth_date)::int + age_of_majority AS years,
                   extract(month FROM birth_date)::int AS month,
                   extract(day FROM birth_date)::int AS day
            FROM accounts_patient JOIN accounts_clinic ON accounts_clinic.id = accounts_patient.clinic_id
            WHERE accounts_patient.id = NEW.patient_id
        ) AS born;
        IF NEW.valid_until >= of_age THEN
            RAISE EXCEPTION 'a grant of a minor ends before the patient is of age' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$ LANGUAGE plpgsql
"""
TRIGGER = """
    CREATE TRIGGER related_person_within_minority BEFORE INSERT OR UPDATE ON accounts_relatedperson
    FOR EACH ROW WHEN (NEW.basis = 'minor') EXECUTE FUNCTION accounts_grant_within_minority()
"""


def of_sqlite(event: str) -> str:
    return f"""
        CREATE TRIGGER related_person_within_minority_{event.lower()} BEFORE {event} ON accounts_relatedperson
        WHEN NEW.basis = 'minor' AND NEW.valid_until >= (
            SELECT date(birth_date, '+' || age_of_majority || ' years')
            FROM accounts_patient JOIN accounts_clinic ON accounts_clinic.id = accounts_patient.clinic_id
            WHERE accounts_patient.id = NEW.patient_id
        )
        BEGIN SELECT RAISE(ABORT, 'a grant of a minor ends before the patient is of age'); END
    """  # noqa: S608 - of our own words


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_patients_end"),
    ]

    operations = [
        migrations.CreateModel(
            name="RelatedPerson",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("given_name", accounts.keys.fields.EncryptedTextField(max_length=60, verbose_name="first name")),
                ("family_name", accounts.keys.fields.EncryptedTextField(max_length=60, verbose_name="last name")),
                (
                    "name_hash",
                    accounts.keys.fields.KeyedHashField(
                        normal=accounts.models.related_person.normal_name, source="given_name"
                    ),
                ),
                (
                    "relationship",
                    models.CharField(
                        choices=[
                            ("MTH", "mother"),
                            ("FTH", "father"),
                            ("PRN", "parent"),
                            ("GUARD", "guardian"),
                            ("GRPRN", "grandparent"),
                            ("SPS", "spouse"),
                            ("DOMPART", "partner"),
                            ("CHILD", "son or daughter"),
                            ("SIB", "brother or sister"),
                            ("CAREGIVER", "carer"),
                            ("FRND", "friend"),
                        ],
                        max_length=9,
                        verbose_name="relationship",
                    ),
                ),
                ("email", accounts.keys.fields.EncryptedEmailField(blank=True, max_length=254, verbose_name="e-mail")),
                ("phone", accounts.keys.fields.EncryptedTextField(blank=True, max_length=32, verbose_name="phone")),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("es", "Spanish")],
                        default="en",
                        max_length=8,
                        verbose_name="language",
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[
                            ("minor", "Parent or guardian of a minor"),
                            ("legal", "Guardian or power of attorney of an adult"),
                            ("patient", "The patient asked for it"),
                        ],
                        max_length=7,
                        verbose_name="on what basis",
                    ),
                ),
                (
                    "basis_note",
                    accounts.keys.fields.EncryptedTextField(blank=True, max_length=200, verbose_name="what was shown"),
                ),
                ("manages", models.BooleanField(default=True, verbose_name="see, change and check in for visits")),
                ("joins", models.BooleanField(default=True, verbose_name="join visits")),
                ("reads", models.BooleanField(default=False, verbose_name="read summaries and answers")),
                (
                    "messages",
                    models.CharField(
                        choices=[
                            ("patient", "The patient alone"),
                            ("both", "The patient and this person"),
                            ("proxy", "This person instead of the patient"),
                        ],
                        default="both",
                        max_length=7,
                        verbose_name="messages go to",
                    ),
                ),
                ("valid_from", models.DateField(verbose_name="from")),
                ("valid_until", models.DateField(blank=True, null=True, verbose_name="until")),
                (
                    "granted_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name="granted"),
                ),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="ended")),
            ],
            options={
                "verbose_name": "person who acts for a patient",
                "verbose_name_plural": "people who act for patients",
                "ordering": ["granted_at"],
            },
        ),
        migrations.RemoveConstraint(
            model_name="accesslink",
            name="link_patient_or_named_guest",
        ),
        migrations.RemoveConstraint(
            model_name="accesslink",
            name="link_of_a_guest_opens_a_visit",
        ),
        # Here and not beside what it is for: later, SQLite would make the table anew under the triggers below.
        migrations.AddField(
            model_name="clinic",
            name="privacy_email",
            field=models.EmailField(
                blank=True,
                default="",
                help_text="Is told when a record is opened in an emergency; where empty, the clinic’s admins are.",
                max_length=254,
                verbose_name="privacy contact",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="clinic",
            name="age_of_majority",
            field=models.PositiveSmallIntegerField(
                default=18,
                help_text="On that birthday parents stop acting for a patient: 18, in some places 19 or 21.",
                validators=[django.core.validators.MinValueValidator(16), django.core.validators.MaxValueValidator(21)],
                verbose_name="age of majority",
            ),
        ),
        migrations.AlterField(
            model_name="accesslink",
            name="kind",
            field=models.CharField(
                choices=[("patient", "patient"), ("proxy", "acts for the patient"), ("guest", "guest")],
                max_length=8,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="clinic",
            constraint=models.CheckConstraint(
                condition=models.Q(("age_of_majority__range", (16, 21))), name="clinic_age_of_majority_possible"
            ),
        ),
        migrations.AddField(
            model_name="relatedperson",
            name="granted_by",
            field=models.ForeignKey(
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="granted by",
            ),
        ),
        migrations.AddField(
            model_name="relatedperson",
            name="patient",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="related_persons",
                to="accounts.patient",
                verbose_name="patient",
            ),
        ),
        migrations.AddField(
            model_name="relatedperson",
            name="revoked_by",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="ended by",
            ),
        ),
        migrations.AddField(
            model_name="accesslink",
            name="related_person",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="links",
                to="accounts.relatedperson",
                verbose_name="acts for the patient",
            ),
        ),
        migrations.AddConstraint(
            model_name="accesslink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "patient"), ("patient__isnull", False), ("related_person__isnull", True)),
                    models.Q(("kind", "proxy"), ("patient__isnull", False), ("related_person__isnull", False)),
                    models.Q(
                        ("kind", "guest"),
                        ("patient__isnull", True),
                        ("related_person__isnull", True),
                        models.Q(("name", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="link_patient_or_named_guest",
            ),
        ),
        migrations.AddConstraint(
            model_name="accesslink",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("scope", "visit"),
                    models.Q(("kind__in", ["patient", "proxy"]), ("scope", "summary")),
                    _connector="OR",
                ),
                name="link_of_a_guest_opens_a_visit",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.UniqueConstraint(
                condition=models.Q(("revoked_at", None)),
                fields=("patient", "name_hash"),
                name="related_person_one_open_grant",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_until", None), ("valid_until__gte", models.F("valid_from")), _connector="OR"
                ),
                name="related_person_until_after_from",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("basis", "minor"), _negated=True), ("valid_until__isnull", False), _connector="OR"
                ),
                name="related_person_of_a_minor_ends",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.CheckConstraint(
                condition=models.Q(("manages", True), ("joins", True), ("reads", True), _connector="OR"),
                name="related_person_may_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("messages", "patient"), models.Q(("email", ""), ("phone", ""), _negated=True), _connector="OR"
                ),
                name="related_person_with_messages_has_address",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("revoked_at", None), ("revoked_by", None)),
                    models.Q(("revoked_at__isnull", False), ("revoked_by__isnull", False)),
                    _connector="OR",
                ),
                name="related_person_ended_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="relatedperson",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("basis__in", ["minor", "legal", "patient"]), ("messages__in", ["patient", "both", "proxy"])
                ),
                name="related_person_words_known",
            ),
        ),
        VendorSQL(
            forward={
                "postgresql": [PASSED, TRIGGER],
                "sqlite": [of_sqlite("INSERT"), of_sqlite("UPDATE")],
            },
            backward={
                "postgresql": [
                    "DROP TRIGGER related_person_within_minority ON accounts_relatedperson",
                    "DROP FUNCTION accounts_grant_within_minority",
                ],
                "sqlite": [
                    "DROP TRIGGER related_person_within_minority_insert",
                    "DROP TRIGGER related_person_within_minority_update",
                ],
            },
        ),
    ]
