"""Accounts of who acts for patients: a user by a grant, found by the address that the clinic has of them."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import accounts.keys.fields
import accounts.models.related_person
from accounts.database import VendorSQL, WithoutTriggers
from accounts.keys.fields import columns
from accounts.keys.rows import batches


LOOKS_AT = "basis, valid_until, patient_id"
DROP = "DROP TRIGGER related_person_within_minority ON accounts_relatedperson"
SQLITE_DROP = "DROP TRIGGER related_person_within_minority_update"


def of_postgresql(columns: str) -> str:
    """The trigger of 0011."""
    return f"""
        CREATE TRIGGER related_person_within_minority BEFORE INSERT OR UPDATE{columns} ON accounts_relatedperson
        FOR EACH ROW WHEN (NEW.basis = 'minor') EXECUTE FUNCTION accounts_grant_within_minority()
    """


def of_sqlite(columns: str) -> str:
    return f"""
        CREATE TRIGGER related_person_within_minority_update BEFORE UPDATE{columns} ON accounts_relatedperson
        WHEN NEW.basis = 'minor' AND NEW.valid_until >= (
            SELECT date(birth_date, '+' || age_of_majority || ' years')
            FROM accounts_patient JOIN accounts_clinic ON accounts_clinic.id = accounts_patient.clinic_id
            WHERE accounts_patient.id = NEW.patient_id
        )
        BEGIN SELECT RAISE(ABORT, 'a grant of a minor ends before the patient is of age'); END
    """  # noqa: S608 - of our own words


def fill(apps: Any, schema_editor: Any) -> None:
    people = apps.get_model("accounts", "RelatedPerson")._base_manager
    for batch in batches(people.exclude(email="")):
        for person in batch:
            people.filter(pk=person.pk).update(**columns(person, "email"))


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0017_no_second_log"),
    ]

    operations = [
        WithoutTriggers(
            migrations.RemoveConstraint(model_name="user", name="user_has_email_or_is_a_patient"),
            migrations.AddField(
                model_name="user",
                name="related_person",
                field=models.OneToOneField(
                    blank=True,
                    editable=False,
                    null=True,
                    on_delete=django.db.models.deletion.PROTECT,
                    related_name="account",
                    to="accounts.relatedperson",
                    verbose_name="acts for the patient",
                ),
            ),
            migrations.AddConstraint(
                model_name="user",
                constraint=models.CheckConstraint(
                    condition=models.Q(
                        models.Q(
                            ("patient", None), ("related_person", None), models.Q(("email", ""), _negated=True)
                        ),
                        models.Q(
                            models.Q(
                                models.Q(("patient__isnull", False), ("related_person", None)),
                                models.Q(("patient", None), ("related_person__isnull", False)),
                                _connector="OR",
                            ),
                            ("email", ""),
                            ("is_staff", False),
                            ("is_superuser", False),
                            ("name", ""),
                        ),
                        _connector="OR",
                    ),
                    name="user_has_email_or_is_a_party",
                ),
            ),
            migrations.AddField(
                model_name="patientcode",
                name="related_person",
                field=models.ForeignKey(
                    blank=True,
                    null=True,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="+",
                    to="accounts.relatedperson",
                    verbose_name="acts for the patient",
                ),
            ),
            migrations.AddConstraint(
                model_name="patientcode",
                constraint=models.CheckConstraint(
                    condition=models.Q(("patient", None), ("related_person", None), _connector="OR"),
                    name="patient_code_of_one_at_most",
                ),
            ),
            migrations.AddField(
                model_name="relatedperson",
                name="email_hash",
                field=accounts.keys.fields.KeyedHashField(
                    normal=accounts.models.related_person._email_of, source="email", default=""
                ),
                preserve_default=False,
            ),
            migrations.AddIndex(
                model_name="relatedperson",
                index=models.Index(fields=["email_hash"], name="related_person_by_email"),
            ),
        ),
        # As it was, but for what it looks at alone: a hash, or another key, is written whatever a birth date became.
        VendorSQL(
            forward={"postgresql": [DROP, of_postgresql(f" OF {LOOKS_AT}")], "sqlite": [SQLITE_DROP, of_sqlite(f" OF {LOOKS_AT}")]},
            backward={"postgresql": [DROP, of_postgresql("")], "sqlite": [SQLITE_DROP, of_sqlite("")]},
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
