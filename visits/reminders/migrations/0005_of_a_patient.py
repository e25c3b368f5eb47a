import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0001_initial'),
        ('reminders', '0004_old_rows'),
    ]

    operations = [
        migrations.AlterField(
            model_name='communication',
            name='patient',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='communications', to='accounts.patient', verbose_name='patient'),
        ),
    ]
