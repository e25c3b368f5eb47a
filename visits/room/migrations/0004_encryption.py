import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("room", "0003_line_minutes"),
        ("accounts", "0003_clinic_encryption"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="encounter",
            name="encryption",
            field=models.CharField(
                choices=[
                    ("required", "Required: a browser that cannot encrypt has no visit"),
                    ("preferred", "Preferred: a clinician decides when a browser cannot encrypt"),
                    ("off", "Off: every visit is encrypted on the way only"),
                ],
                default="off",  # what the visits before this were
                max_length=9,
                verbose_name="end-to-end encryption",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="encounter",
            name="unencrypted_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="not encrypted end to end since"),
        ),
        migrations.AddField(
            model_name="encounter",
            name="unencrypted_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="decided by",
            ),
        ),
        migrations.AddField(
            model_name="seat",
            name="turn",
            field=models.PositiveIntegerField(default=0, verbose_name="times taken"),
        ),
        migrations.AddField(
            model_name="seat",
            name="unable_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="waits unencrypted"),
        ),
        migrations.AddConstraint(
            model_name="encounter",
            constraint=models.CheckConstraint(
                condition=models.Q(("encryption__in", ["required", "preferred", "off"])),
                name="encounter_encryption_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="encounter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("unencrypted_at", None), ("unencrypted_by", None)),
                    models.Q(
                        ("encryption", "preferred"),
                        ("unencrypted_at__gte", models.F("started_at")),
                        ("unencrypted_at__isnull", False),
                        ("unencrypted_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="encounter_unencrypted_by_somebody_who_may",
            ),
        ),
    ]
