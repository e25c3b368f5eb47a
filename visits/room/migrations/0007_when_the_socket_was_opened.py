from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("room", "0006_screens_at_the_relay")]

    operations = [
        migrations.AddField(
            model_name="seat", name="opened_at", field=models.DateTimeField(editable=False, null=True)
        )
    ]
