"""What booking and the schedule announce, and what it means for the waitlist: in the same transaction."""

from datetime import datetime
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver

from visits.booking.models import Appointment, AppointmentChange
from visits.booking.signals import appointment_changed
from visits.schedule.models import Availability, OpeningHours, ScheduleException
from visits.waitlist import openings
from visits.waitlist.models import WaitlistEntry
from visits.waitlist.services import entries

End = WaitlistEntry.End
Kind = ScheduleException.Kind


@receiver(appointment_changed)
def follow_visit(*, appointment: Appointment, change: str, old_end: datetime | None, **_: Any) -> None:
    """What is freed is offered on; a visit that is not to come any more, or came earlier, is off the list."""
    if change == "moved":
        _follow_move(appointment, old_end)
    elif change != "booked":
        entries.end(appointment, End.CLOSED)
    if change in {"cancelled", "noshow"}:
        openings.of_visit(appointment.practitioner, appointment.start, appointment.end)


def _follow_move(visit: Appointment, old_end: datetime | None) -> None:
    newest = AppointmentChange.objects.select_related("old_practitioner__clinic")
    moved = newest.filter(appointment=visit, change=AppointmentChange.Change.MOVED).order_by("-at", "-pk")[0]
    if moved.old_start is None or moved.old_practitioner is None or old_end is None:
        raise ValueError("A visit that was moved was somewhere before.")
    if visit.start < moved.old_start:
        entries.end(visit, End.MOVED)
    else:
        # They were promised that time instead of another one than the visit has now.
        entries.withdraw_offers(visit)
    openings.of_visit(moved.old_practitioner, moved.old_start, old_end)


@receiver([post_save, post_delete], sender=Availability)
def follow_weekly_hours(*, instance: Availability, **_: Any) -> None:
    openings.of_hours(instance.practitioner.clinic, instance.practitioner)


@receiver([post_save, post_delete], sender=OpeningHours)
def follow_opening_hours(*, instance: OpeningHours, **_: Any) -> None:
    openings.of_hours(instance.clinic, None)


@receiver(pre_save, sender=ScheduleException)
def follow_what_an_exception_was(*, instance: ScheduleException, **_: Any) -> None:
    """Time off that is made shorter, goes elsewhere or is another's frees what it took."""
    was = ScheduleException.objects.select_related("clinic", "practitioner").filter(pk=instance.pk).first()
    if was is not None and was.kind == Kind.OFF:
        openings.of_exception(was)


@receiver([post_save, post_delete], sender=ScheduleException)
def follow_exception(*, instance: ScheduleException, created: bool = False, **_: Any) -> None:
    """New time off frees nothing."""
    if not (created and instance.kind == Kind.OFF):
        openings.of_exception(instance)
