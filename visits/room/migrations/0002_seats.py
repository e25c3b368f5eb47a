from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("room", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="seat",
            name="screen",
            field=models.BooleanField(default=False, verbose_name="shows the screen"),
        ),
        migrations.AddConstraint(
            model_name="seat",
            constraint=models.UniqueConstraint(
                condition=models.Q(("role", "patient")), fields=("encounter",), name="seat_of_one_patient"
            ),
        ),
    ]
