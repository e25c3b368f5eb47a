from django.db import migrations, models

from accounts.keys.fields import EncryptedEmailField, EncryptedTextField, KeyedHashField
from accounts.keys.migrating import encrypt
from accounts.models import clinic


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_clinic_names_staff")]

    operations = [
        *encrypt(
            "accounts",
            "patient",
            email=EncryptedEmailField("e-mail", blank=True, max_length=254),
            email_hash=KeyedHashField(source="email", normal=clinic._email_of),
            phone=EncryptedTextField("phone", max_length=32, blank=True),
            phone_hash=KeyedHashField(source="phone", normal=clinic._phone_of),
            last_digits_hash=KeyedHashField(source="phone", normal=clinic._last_digits_of),
        ),
        *(
            migrations.AddIndex("patient", models.Index(fields=[field], name=name))
            for field, name in (
                ("email_hash", "patient_by_email"),
                ("phone_hash", "patient_by_phone"),
                ("last_digits_hash", "patient_by_last_digits"),
            )
        ),
    ]
