"""When each periodic job last came to a good end: the worker writes it down, health and metrics read it.

A job that fails, hangs or is never sent by beat grows silent alike. How messages go out is told of more closely by
``visits.reminders.services.heartbeat``, in which a tick that is still at work is alive.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from telehealth.celery import app
from visits.reminders.models import Heartbeat

# A worker may be busy, or started anew.
GRACE = timedelta(minutes=5)
# Jobs of every few seconds need no row to be written each time.
WRITTEN_EVERY = timedelta(seconds=30)


@dataclass(frozen=True)
class Tick:
    name: str
    every: timedelta
    silent_for: timedelta | None  # since it last ended well, or beat first knew of it; None: neither

    @property
    def is_well(self) -> bool:
        return self.silent_for is not None and self.silent_for < 2 * self.every + GRACE


def expect(now: datetime) -> None:
    """Count the silence of jobs that never ran from now on: beat has started."""
    rows = [Heartbeat(name=name, beat_at=now) for name in app.conf.beat_schedule]
    Heartbeat.objects.bulk_create(rows, ignore_conflicts=True)


def note(task: str, now: datetime) -> None:
    """The task ended well; what is no periodic job is not noted."""
    for name in (name for name, entry in app.conf.beat_schedule.items() if entry["task"] == task):
        fresh = Heartbeat.objects.filter(name=name, beat_at__gt=now - WRITTEN_EVERY)
        if not fresh.exists():
            Heartbeat.objects.update_or_create(name=name, defaults={"beat_at": now})


def ticks(now: datetime) -> list[Tick]:
    """How each periodic job is, by its name in the schedule."""
    last = dict(Heartbeat.objects.values_list("name", "beat_at"))
    return [
        Tick(name, timedelta(seconds=entry["schedule"]), max(now - last[name], timedelta(0)) if name in last else None)
        for name, entry in app.conf.beat_schedule.items()
    ]
