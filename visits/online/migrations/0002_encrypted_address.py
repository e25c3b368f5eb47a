from django.db import migrations

from accounts.keys.fields import EncryptedTextField
from accounts.keys.migrating import encrypt


class Migration(migrations.Migration):
    dependencies = [("online", "0001_initial")]

    operations = encrypt("online", "verification", address=EncryptedTextField("sent to", max_length=254))
