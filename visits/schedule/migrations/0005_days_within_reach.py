import visits.schedule.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('schedule', '0004_words_of_exceptions_where_they_are_checked'),
    ]

    operations = [
        migrations.AlterField(
            model_name='scheduleexception',
            name='first_day',
            field=models.DateField(validators=[visits.schedule.models.check_year], verbose_name='first day'),
        ),
        migrations.AlterField(
            model_name='scheduleexception',
            name='last_day',
            field=models.DateField(validators=[visits.schedule.models.check_year], verbose_name='last day'),
        ),
    ]
