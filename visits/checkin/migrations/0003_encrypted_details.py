from django.db import migrations

from accounts.keys.fields import EncryptedTextField
from accounts.keys.migrating import encrypt


class Migration(migrations.Migration):
    dependencies = [("checkin", "0002_consent_as_given")]

    operations = encrypt(
        "checkin",
        "checkin",
        callback_phone=EncryptedTextField("if we get cut off, we call", max_length=32, blank=True),
        location=EncryptedTextField("where you are right now", max_length=160, blank=True),
        emergency_contact=EncryptedTextField("who we call in an emergency", max_length=120, blank=True),
    )
