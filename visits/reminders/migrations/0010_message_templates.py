import django.core.validators
import django.db.models.deletion
import uuid
import visits.reminders.models.template
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0019_record_numbers'),
        ('reminders', '0009_grants'),
    ]

    operations = [
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('confirmation', 'Confirmation'), ('reschedule', 'New time'), ('cancellation', 'Cancellation'), ('reminder', 'Reminder'), ('form-missing', 'Questions still open'), ('clinician-waiting', 'The clinician is waiting'), ('running-late', 'Running late'), ('offer', 'Offer of an earlier time'), ('summary', 'Summary is ready'), ('missed', 'Missed visit')], max_length=20, verbose_name='message')),
                ('language', models.CharField(choices=[('en', 'English'), ('es', 'Spanish')], max_length=8, verbose_name='language')),
                ('mail_words', models.TextField(blank=True, help_text='A few sentences below ours. Everybody gets the same, by video or by phone, whoever moved or cancelled: no names, and nothing about health.', validators=[django.core.validators.MaxLengthValidator(600), visits.reminders.models.template.check_no_address], verbose_name='in the e-mail')),
                ('text_words', models.CharField(blank=True, help_text='One short sentence. It may make the message longer, and dearer, by a part.', max_length=70, validators=[visits.reminders.models.template.check_no_address], verbose_name='in the text message')),
                ('clinic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='message_templates', to='accounts.clinic', verbose_name='clinic')),
            ],
            options={
                'verbose_name': 'message template',
                'verbose_name_plural': 'message templates',
                'ordering': ['clinic', 'kind', 'language'],
                'constraints': [models.UniqueConstraint(fields=('clinic', 'kind', 'language'), name='message_template_once', violation_error_message='There are words for this message in this language already.'), models.CheckConstraint(condition=models.Q(('kind__in', ['confirmation', 'reschedule', 'cancellation', 'reminder', 'form-missing', 'clinician-waiting', 'running-late', 'offer', 'summary', 'missed'])), name='message_template_kind'), models.CheckConstraint(condition=models.Q(('mail_words', ''), ('text_words', ''), _negated=True), name='message_template_says_something', violation_error_message='Write something for the e-mail or for the text message.')],
            },
        ),
    ]
