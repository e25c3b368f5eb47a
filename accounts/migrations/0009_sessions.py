"""Sessions of our own: whose, since when, last active, under a keyed hash of the cookie. Those of before have ended."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_link_scope"),
    ]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("data", models.TextField(editable=False)),
                ("expires_at", models.DateTimeField(db_index=True, verbose_name="ends by itself")),
                ("began_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="since")),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="last active")),
                ("user_agent", models.CharField(blank=True, max_length=300, verbose_name="browser")),
                ("network", models.CharField(blank=True, max_length=49, verbose_name="network")),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={"verbose_name": "session", "verbose_name_plural": "sessions", "ordering": ["-seen_at"]},
        ),
        # Cookies as they are, and what is sealed under them.
        migrations.RunSQL("DROP TABLE IF EXISTS django_session", migrations.RunSQL.noop),
    ]
