from django.db import migrations, models

from accounts.keys.fields import EncryptedTextField, KeyedHashField
from accounts.keys.migrating import encrypt
from visits.reminders.models import ledger

BOUNCE = models.CheckConstraint(
    condition=models.Q(bounced_at=None, bounced_address="")
    | models.Q(bounced_at__isnull=False) & ~models.Q(bounced_address=""),
    name="contact_bounce_has_address",
)


class Migration(migrations.Migration):
    dependencies = [("reminders", "0005_of_a_patient")]

    operations = [
        migrations.RemoveIndex("communication", "communication_by_address"),
        *encrypt(
            "reminders",
            "communication",
            address=EncryptedTextField("sent to", max_length=254, blank=True),
            address_hash=KeyedHashField(source="address", normal=ledger._address_of),
        ),
        migrations.AddIndex(
            "communication", models.Index(fields=["address_hash", "sent_at"], name="communication_by_address")
        ),
        migrations.RemoveConstraint("contactpreference", "contact_bounce_has_address"),
        *encrypt(
            "reminders",
            "contactpreference",
            bounced_address=EncryptedTextField(
                "address that does not work", max_length=254, bound_to="patient_id", blank=True
            ),
        ),
        migrations.AddConstraint("contactpreference", BOUNCE),
    ]
