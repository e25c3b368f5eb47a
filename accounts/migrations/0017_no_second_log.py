"""Django's log of the admin is written no more: the trail has what was done, and no names."""

from django.db import migrations


def empty(apps, schema_editor):
    apps.get_model("admin", "LogEntry").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0016_accounts_of_patients"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [migrations.RunPython(empty, migrations.RunPython.noop)]
