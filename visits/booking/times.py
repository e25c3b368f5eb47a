"""Which times of a clinician exist and which are free: the database's part of ``schedule.slots``."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from accounts.models import Clinic, Practitioner
from visits.booking.models import Appointment
from visits.schedule import slots
from visits.schedule.models import VisitType
from visits.schedule.slots import Hours, Slot

NEAREST_BEFORE = timedelta(days=3)
NEAREST_AFTER = timedelta(days=28)
LOOK_AHEAD = timedelta(days=62)


@dataclass(frozen=True)
class Times:
    """A clinician's slots for one visit type between two days: all that are to come, and those still free."""

    all: list[Slot]
    free: list[Slot]


def zone_of(clinic: Clinic) -> ZoneInfo:
    return ZoneInfo(clinic.time_zone)


def times(
    *, practitioner: Practitioner, visit_type: VisitType, first_day: date, last_day: date, now: datetime | None = None
) -> Times:
    """The slots between two days of the clinic's calendar, both included. Two queries, however many days."""
    zone = zone_of(practitioner.clinic)
    every = slots.expand(_hours(practitioner, first_day, last_day), zone, first_day, last_day, visit_type.minutes)
    now = now or timezone.now()
    coming = [slot for slot in every if slot.start >= now]
    busy = _busy(practitioner, coming[0].start, coming[-1].end) if coming else []
    return Times(coming, slots.without(coming, busy, now))


def free_slots(
    *, practitioner: Practitioner, visit_type: VisitType, first_day: date, last_day: date, now: datetime | None = None
) -> list[Slot]:
    """The slots that can be booked between two days of the clinic's calendar, both included."""
    return times(practitioner=practitioner, visit_type=visit_type, first_day=first_day, last_day=last_day, now=now).free


def nearest_free(*, practitioner: Practitioner, visit_type: VisitType, wanted: datetime, count: int = 3) -> list[Slot]:
    """The free slots closest to ``wanted``, earlier and later ones, in order."""
    day = wanted.astimezone(zone_of(practitioner.clinic)).date()
    free = free_slots(
        practitioner=practitioner,
        visit_type=visit_type,
        first_day=day - NEAREST_BEFORE,
        last_day=day + NEAREST_AFTER,
    )
    return slots.nearest(free, wanted, count)


def first_free(
    *, practitioner: Practitioner, visit_type: VisitType, after: date, now: datetime | None = None
) -> Slot | None:
    """The first free slot from the day ``after`` on, within the next two months."""
    found = free_slots(
        practitioner=practitioner, visit_type=visit_type, first_day=after, last_day=after + LOOK_AHEAD, now=now
    )
    return found[0] if found else None


def is_slot(*, practitioner: Practitioner, visit_type: VisitType, start: datetime) -> bool:
    """Whether the clinician's hours have a slot for this visit type at ``start``, free or not."""
    zone = zone_of(practitioner.clinic)
    day = start.astimezone(zone).date()
    every = slots.expand(_hours(practitioner, day, day), zone, day, day, visit_type.minutes)
    return any(slot.start == start for slot in every)


def _hours(practitioner: Practitioner, first_day: date, last_day: date) -> list[Hours]:
    rows = practitioner.availability.filter(
        Q(valid_from=None) | Q(valid_from__lte=last_day), Q(valid_until=None) | Q(valid_until__gte=first_day)
    )
    return [Hours(row.weekday, row.start_time, row.end_time, row.valid_from, row.valid_until) for row in rows]


def _busy(practitioner: Practitioner, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    visits = Appointment.objects.filter(
        practitioner=practitioner, status__in=Appointment.ACTIVE, start__lt=end, end__gt=start
    )
    return [(begin.astimezone(UTC), finish.astimezone(UTC)) for begin, finish in visits.values_list("start", "end")]
