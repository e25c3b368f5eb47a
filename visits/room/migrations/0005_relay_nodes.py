import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("room", "0004_encryption")]

    operations = [
        migrations.CreateModel(
            name="RelayNode",
            fields=[
                (
                    "id",
                    models.CharField(
                        editable=False,
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                        verbose_name="relay process",
                    ),
                ),
                ("address", models.CharField(max_length=32, verbose_name="address")),
                ("seen_at", models.DateTimeField(verbose_name="last sign of life")),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("draining", "Takes no new visits"), ("gone", "Gone")],
                        default="active",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                (
                    "drained_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="takes no new visits since"),
                ),
                ("rooms", models.PositiveIntegerField(default=0, verbose_name="visits")),
                ("peers", models.PositiveIntegerField(default=0, verbose_name="people")),
                ("capacity", models.PositiveIntegerField(default=0, verbose_name="most people")),
                ("cpu", models.FloatField(default=0, verbose_name="processor")),
                ("bitrate", models.BigIntegerField(default=0, verbose_name="bits per second")),
                ("load", models.FloatField(default=0, verbose_name="load")),
                ("full", models.CharField(blank=True, max_length=8)),
            ],
            options={"verbose_name": "media relay", "verbose_name_plural": "media relays", "ordering": ["id"]},
        ),
        migrations.AddField(
            model_name="encounter", name="placed_at", field=models.DateTimeField(editable=False, null=True)
        ),
        migrations.AddField(
            model_name="encounter",
            name="relay_node",
            field=models.ForeignKey(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="room.relaynode",
                verbose_name="media relay",
            ),
        ),
    ]
