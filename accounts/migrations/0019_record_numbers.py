"""The clinic's own number of a patient, sealed, found by its hash, and given once."""

from django.db import migrations, models

from accounts.database import WithoutTriggers
from accounts.keys.fields import EncryptedTextField, KeyedHashField
from accounts.models import clinic


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0018_accounts_of_proxies"),
    ]

    operations = [
        WithoutTriggers(
            migrations.AddField(
                model_name="patient",
                name="record_number",
                field=EncryptedTextField(blank=True, max_length=32, verbose_name="record number"),
            ),
            migrations.AddField(
                model_name="patient",
                name="record_number_hash",
                field=KeyedHashField(normal=clinic._record_number_of, source="record_number"),
            ),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.UniqueConstraint(
                condition=~models.Q(record_number_hash=""),
                fields=("clinic", "record_number_hash"),
                name="patient_record_number_once",
            ),
        ),
    ]
