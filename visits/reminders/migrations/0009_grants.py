"""Messages about who acts for a patient: of no visit, like offers.

Going back, the database refuses what is there of them: delete the messages of kind ``grant`` before.
"""

from django.db import migrations, models

from accounts.database import WithoutTriggers


class Migration(migrations.Migration):
    dependencies = [("reminders", "0008_in_series")]

    operations = [
        migrations.AlterField(
            model_name="communication",
            name="kind",
            field=models.CharField(
                choices=[
                    ("confirmation", "Confirmation"),
                    ("reschedule", "New time"),
                    ("cancellation", "Cancellation"),
                    ("reminder", "Reminder"),
                    ("form-missing", "Questions still open"),
                    ("clinician-waiting", "The clinician is waiting"),
                    ("running-late", "Running late"),
                    ("offer", "Offer of an earlier time"),
                    ("summary", "Summary is ready"),
                    ("missed", "Missed visit"),
                    ("grant", "Who acts for the patient"),
                ],
                max_length=20,
                verbose_name="kind",
            ),
        ),
        WithoutTriggers(
            migrations.RemoveConstraint("communication", "communication_of_a_visit_or_an_offer"),
            migrations.AddConstraint(
                "communication",
                models.CheckConstraint(
                    condition=models.Q(appointment__isnull=False)
                    | models.Q(kind__in=["offer", "grant"]) & ~models.Q(reference=""),
                    name="communication_of_a_visit_or_by_reference",
                ),
            ),
        ),
    ]
