"""Which times of a clinician exist and which are free: the database's part of ``schedule.slots``."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import Clinic, Practitioner
from visits.booking.models import Appointment, Hold
from visits.schedule import slots
from visits.schedule.hours import day_of, rules_of, zone_of
from visits.schedule.intervals import Interval
from visits.schedule.models import VisitType
from visits.schedule.rules import Rules
from visits.schedule.slots import Limits, Shape, Slot, Times
from visits.schedule.wall_clock import bounds, midnight

DAY, WEEK = timedelta(days=1), timedelta(days=7)
NEAREST_BEFORE = timedelta(days=3)
NEAREST_AFTER = timedelta(days=28)
LOOK_AHEAD = timedelta(days=62)
# What a visit type may be at most: eight hours, with two kept free on each side of it and of the visit before.
REACH = timedelta(hours=2 + 8 + 2)
# Whose time counts as free.
Leaving = Appointment | Hold | Sequence[Appointment] | None


def times(
    *,
    practitioner: Practitioner,
    visit_type: VisitType,
    first_day: date,
    last_day: date,
    now: datetime | None = None,
    for_patient: bool = False,
    instead_of: Leaving = None,
) -> Times:
    """The slots between two days of the clinic's calendar, both included: all that are to come, and those free.

    ``for_patient``: only those that a patient may take, by the visit type's notice and days ahead. ``instead_of``:
    what is to be moved or a hold that is one's own, whose time counts as free. The queries are always as many.
    """
    rules = _rules(practitioner, visit_type, first_day, last_day)
    zone = zone_of(practitioner.clinic)
    now = now or timezone.now()
    busy = _busy([practitioner], first_day, last_day, zone, now, instead_of)
    return slots.times(
        rules,
        _shape(visit_type),
        zone,
        first_day,
        last_day,
        busy=busy[practitioner.pk],
        now=now,
        limits=_limits(visit_type) if for_patient else None,
    )


def free_slots(
    *,
    practitioner: Practitioner,
    visit_type: VisitType,
    first_day: date,
    last_day: date,
    now: datetime | None = None,
    for_patient: bool = False,
    instead_of: Leaving = None,
) -> list[Slot]:
    """The slots that can be booked between two days of the clinic's calendar, both included; see ``times``."""
    return times(
        practitioner=practitioner,
        visit_type=visit_type,
        first_day=first_day,
        last_day=last_day,
        now=now,
        for_patient=for_patient,
        instead_of=instead_of,
    ).free


def free_slots_of_any(
    *,
    clinic: Clinic,
    visit_type: VisitType,
    first_day: date,
    last_day: date,
    now: datetime | None = None,
    for_patient: bool,
    instead_of: Leaving = None,
) -> list[tuple[Slot, list[Practitioner]]]:
    """The free slots of all clinicians who offer the visit type, earliest first, each with who is free then.

    The fairest choice comes first: who has the fewest active visits in that week (Monday to Sunday), then by name.
    The rest as for ``times``. The queries are as many for one clinician as for fifty.
    """
    people = list(clinic.practitioners.filter(is_active=True).order_by("name", "pk"))
    zone = zone_of(clinic)
    now = now or timezone.now()
    every = rules_of(people, clinic=clinic, first_day=first_day, last_day=last_day, visit_type=visit_type)
    busy = _busy(people, first_day, last_day, zone, now, instead_of)
    load = _load(people, first_day, last_day, zone)

    free: defaultdict[Slot, list[Practitioner]] = defaultdict(list)
    limits = _limits(visit_type) if for_patient else None
    for one in people:
        found = slots.times(
            every[one.pk], _shape(visit_type), zone, first_day, last_day, busy=busy[one.pk], now=now, limits=limits
        )
        for slot in found.free:
            free[slot].append(one)
    for slot, whom in free.items():
        week = _monday(slot.start.astimezone(zone).date())
        whom.sort(key=lambda one: load.get((one.pk, week), 0))
    return sorted(free.items(), key=lambda item: item[0])


def nearest_free(
    *,
    practitioner: Practitioner,
    visit_type: VisitType,
    wanted: datetime,
    count: int = 3,
    for_patient: bool = False,
    instead_of: Leaving = None,
) -> list[Slot]:
    """The free slots closest to ``wanted``, earlier and later ones, in order; see ``times``."""
    day = day_of(practitioner.clinic, wanted)
    free = free_slots(
        practitioner=practitioner,
        visit_type=visit_type,
        first_day=day - NEAREST_BEFORE,
        last_day=day + NEAREST_AFTER,
        for_patient=for_patient,
        instead_of=instead_of,
    )
    return slots.nearest(free, wanted, count)


def first_free(
    *,
    practitioner: Practitioner,
    visit_type: VisitType,
    after: date,
    now: datetime | None = None,
    for_patient: bool = False,
    instead_of: Leaving = None,
) -> Slot | None:
    """The first free slot from the day ``after`` on, within the next two months; see ``times``."""
    found = free_slots(
        practitioner=practitioner,
        visit_type=visit_type,
        first_day=after,
        last_day=after + LOOK_AHEAD,
        now=now,
        for_patient=for_patient,
        instead_of=instead_of,
    )
    return found[0] if found else None


def is_slot(
    *,
    practitioner: Practitioner,
    visit_type: VisitType,
    start: datetime,
    now: datetime | None = None,
    for_patient: bool = False,
) -> bool:
    """Whether the clinician's rules have a slot for this visit type at ``start``, free or not, past or to come.

    ``for_patient``: and whether a patient may take it now.
    """
    zone = zone_of(practitioner.clinic)
    day = start.astimezone(zone).date()
    if for_patient:
        earliest, last_day = _limits(visit_type).window(now or timezone.now(), zone)
        if start < earliest or day > last_day:
            return False
    every = slots.expand(_rules(practitioner, visit_type, day, day), _shape(visit_type), zone, day, day)
    return any(slot.start == start for slot in every)


def _rules(practitioner: Practitioner, visit_type: VisitType, first_day: date, last_day: date) -> Rules:
    clinic = practitioner.clinic
    every = rules_of([practitioner], clinic=clinic, first_day=first_day, last_day=last_day, visit_type=visit_type)
    return every[practitioner.pk]


def _busy(
    people: Collection[Practitioner],
    first_day: date,
    last_day: date,
    zone: ZoneInfo,
    now: datetime,
    instead_of: Leaving,
) -> Mapping[uuid.UUID, list[Interval]]:
    """What takes each one's time between two days: active visits and live holds. Two queries, answered by index."""
    start, end = bounds(first_day, last_day, zone)
    near = {"practitioner__in": people, "start__gt": start - REACH, "start__lt": end + REACH}
    leaving = instead_of if isinstance(instead_of, Sequence) else [instead_of] if instead_of else []
    besides = [one.pk for one in leaving]
    visits = Appointment.objects.filter(status__in=Appointment.ACTIVE, **near).exclude(pk__in=besides)
    holds = Hold.objects.filter(expires_at__gt=now, **near).exclude(pk__in=besides)
    busy: defaultdict[uuid.UUID, list[Interval]] = defaultdict(list)
    for rows in (visits, holds):
        for pk, busy_start, busy_end in rows.order_by().values_list("practitioner_id", "busy_start", "busy_end"):
            busy[pk].append((busy_start, busy_end))
    return busy


def _load(
    people: Collection[Practitioner], first_day: date, last_day: date, zone: ZoneInfo
) -> dict[tuple[uuid.UUID, date], int]:
    """How many active visits each one has in each week, by its Monday, of those that the days lie in. One query."""
    weeks = (_monday(last_day) - _monday(first_day)) // WEEK + 1
    mondays = [_monday(first_day) + n * WEEK for n in range(weeks + 1)]
    starts = [midnight(monday, zone) for monday in mondays]
    counts = {
        str(monday): Count("pk", filter=Q(start__gte=start, start__lt=end))
        for monday, (start, end) in zip(mondays[:-1], pairwise(starts), strict=True)
    }
    visits = Appointment.objects.filter(
        practitioner__in=people, status__in=Appointment.ACTIVE, start__gte=starts[0], start__lt=starts[-1]
    )
    rows: Iterable[Mapping[str, Any]] = visits.order_by().values("practitioner_id").annotate(**counts)
    return {(row["practitioner_id"], monday): row[str(monday)] for row in rows for monday in mondays[:-1]}


def _shape(visit_type: VisitType) -> Shape:
    return Shape(
        timedelta(minutes=visit_type.minutes),
        timedelta(minutes=visit_type.buffer_before),
        timedelta(minutes=visit_type.buffer_after),
    )


def _limits(visit_type: VisitType) -> Limits:
    return Limits(timedelta(minutes=visit_type.minimum_notice), visit_type.horizon_days)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
