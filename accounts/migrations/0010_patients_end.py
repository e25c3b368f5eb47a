"""When nothing is booked for a patient any more, and when their row was erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_sessions")]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="deactivated_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="no new visits since"),
        ),
        migrations.AddField(
            model_name="patient",
            name="erased_at",
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name="erased"),
        ),
        migrations.AddConstraint(
            model_name="patient",
            constraint=models.CheckConstraint(
                condition=models.Q(erased_at=None) | models.Q(deactivated_at__isnull=False),
                name="patient_erased_is_inactive",
            ),
        ),
    ]
