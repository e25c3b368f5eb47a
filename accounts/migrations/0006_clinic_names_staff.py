from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_totp_seeds_encrypted")]

    operations = [
        migrations.AddField(
            "clinic",
            "names_staff",
            models.BooleanField(
                default=True,
                help_text="Patients see who opened their record: with the name, or else with the role alone.",
                verbose_name="names of staff for patients",
            ),
        ),
    ]
