"""Which questions a visit type asks is a relation of intake; the flag asked nothing, so nothing is carried over."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("schedule", "0005_days_within_reach")]

    operations = [migrations.RemoveField(model_name="visittype", name="has_intake")]
