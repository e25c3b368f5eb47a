from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_audit_append_only")]

    operations = [
        migrations.AddField(
            model_name="clinic",
            name="encryption",
            field=models.CharField(
                choices=[
                    ("required", "Required: a browser that cannot encrypt has no visit"),
                    ("preferred", "Preferred: a clinician decides when a browser cannot encrypt"),
                    ("off", "Off: every visit is encrypted on the way only"),
                ],
                default="preferred",
                help_text="For visits that begin from now on.",
                max_length=9,
                verbose_name="end-to-end encryption",
            ),
        ),
        migrations.AddConstraint(
            model_name="clinic",
            constraint=models.CheckConstraint(
                condition=models.Q(("encryption__in", ["required", "preferred", "off"])),
                name="clinic_encryption_known",
            ),
        ),
    ]
