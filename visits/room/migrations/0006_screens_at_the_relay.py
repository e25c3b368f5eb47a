from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("room", "0005_relay_nodes")]

    operations = [migrations.RemoveField(model_name="seat", name="screen")]
