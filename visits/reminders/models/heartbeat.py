"""When messages were last looked after."""

from django.db import models


class Heartbeat(models.Model):
    """One row a task, written at each of its ticks: health reads it."""

    name = models.CharField(primary_key=True, max_length=32)
    beat_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} {self.beat_at:%Y-%m-%d %H:%M:%S}"
