"""Whether messages are looked after: health reads it, and says so aloud when they are not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from visits.reminders.models import Communication, Heartbeat

State = Communication.State

NAME = "reminders"
SILENT_AFTER = timedelta(minutes=2)
# A message may wait for a batch before it, or for another try.
DUE_FOR = timedelta(minutes=10)
FAILED_LATELY = timedelta(days=1)


@dataclass(frozen=True)
class Pulse:
    """How the sending of messages is. ``is_well`` is what an alert asks for."""

    silent_for: timedelta | None  # since the last tick; None: there was none yet
    due: int  # messages in the line
    oldest_due: timedelta  # how long the first of them has been due
    unknown: int  # messages that wait for a person
    failed: int  # messages of the last day that failed for good

    @property
    def is_well(self) -> bool:
        return self.silent_for is not None and self.silent_for < SILENT_AFTER and self.oldest_due < DUE_FOR


def beat(now: datetime) -> None:
    Heartbeat.objects.update_or_create(name=NAME, defaults={"beat_at": now})


def pulse(now: datetime) -> Pulse:
    last = Heartbeat.objects.filter(name=NAME).values_list("beat_at", flat=True).first()
    waiting = Communication.objects.filter(state=State.PLANNED, due_at__lte=now)
    oldest = waiting.order_by("due_at").values_list("due_at", flat=True).first()
    return Pulse(
        silent_for=None if last is None else max(now - last, timedelta(0)),
        due=waiting.count(),
        oldest_due=timedelta(0) if oldest is None else now - oldest,
        unknown=Communication.objects.filter(state=State.UNKNOWN).count(),
        failed=Communication.objects.filter(state=State.FAILED, claimed_at__gt=now - FAILED_LATELY).count(),
    )
