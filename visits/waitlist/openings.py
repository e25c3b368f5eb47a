"""Notes that a clinician's time has become free, where somebody may want it."""

from datetime import datetime

from django.db.models import Max
from django.utils import timezone

from accounts.models import Clinic, Practitioner
from visits.schedule.hours import zone_of
from visits.schedule.models import ScheduleException
from visits.schedule.wall_clock import bounds
from visits.waitlist.models import Opening, WaitlistEntry


def of_visit(practitioner: Practitioner, start: datetime, end: datetime) -> None:
    """The time that a visit no longer takes."""
    _note(practitioner.clinic, [practitioner], start, end)


def of_hours(clinic: Clinic, practitioner: Practitioner | None) -> None:
    """The clinician's weekly hours, or the clinic's, have changed: any time to come may be new."""
    _note(clinic, _people(clinic, practitioner), timezone.now(), None)


def of_exception(exception: ScheduleException) -> None:
    """Extra hours have come, or time off has gone."""
    clinic = exception.clinic
    begin, end = bounds(exception.first_day, exception.last_day, zone_of(clinic))
    _note(clinic, _people(clinic, exception.practitioner), begin, end)


def _people(clinic: Clinic, practitioner: Practitioner | None) -> list[Practitioner]:
    return [practitioner] if practitioner else list(clinic.practitioners.filter(is_active=True))


def _note(clinic: Clinic, people: list[Practitioner], begin: datetime, end: datetime | None) -> None:
    """Only what lies ahead, and before the last visit whose patient would come earlier."""
    waiting = WaitlistEntry.objects.filter(appointment__clinic=clinic, ended_at=None)
    last = waiting.aggregate(last=Max("appointment__start"))["last"]
    if last is None:
        return
    begin, end = max(begin, timezone.now()), min(end or last, last)
    if begin < end:
        Opening.objects.bulk_create(Opening(practitioner=one, begin=begin, end=end) for one in people)
