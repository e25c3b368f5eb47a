"""django-axes' rows of before name whom somebody tried to sign in as. They are counts of a quarter of an hour: they go."""

from django.db import migrations


def forget(apps, schema_editor):
    for name in ("AccessAttempt", "AccessLog", "AccessFailureLog"):
        apps.get_model("axes", name).objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0013_invitations"),
        ("axes", "0010_accessattemptexpiration"),
    ]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
