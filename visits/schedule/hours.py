"""Reads what a clinic keeps of its hours into ``rules.Rules``. The queries are as many for one clinician as for all."""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from accounts.models import Clinic, Practitioner
from visits.schedule.intervals import Interval
from visits.schedule.models import Availability, ScheduleException, VisitType
from visits.schedule.public_holidays import public_holidays
from visits.schedule.rules import Hours, Rules, Spell
from visits.schedule.wall_clock import DAY, bounds, wall_of

Kind = ScheduleException.Kind


def zone_of(clinic: Clinic) -> ZoneInfo:
    return ZoneInfo(clinic.time_zone)


def day_of(clinic: Clinic, instant: datetime) -> date:
    """The day that the clinic's calendar shows then."""
    return instant.astimezone(zone_of(clinic)).date()


def bounds_of_day(clinic: Clinic, instant: datetime) -> Interval:
    """The clinic's day that ``instant`` lies in, from its midnight to the next."""
    day = day_of(clinic, instant)
    return bounds(day, day, zone_of(clinic))


def spell_of(row: ScheduleException) -> Spell:
    return Spell(row.first_day, row.last_day, row.start_time, row.end_time)


def rules_of(
    practitioners: Iterable[Practitioner],
    *,
    clinic: Clinic,
    first_day: date,
    last_day: date,
    visit_type: VisitType | None = None,
) -> dict[uuid.UUID, Rules]:
    """The rules of each of the clinic's ``practitioners`` between two days, both included, by their ids.

    They hold for the day before and the day after, too, since hours go on over midnight.
    With a visit type: only hours for it, and none of who does not offer it; without: all hours.
    """
    first_day, last_day = first_day - DAY, last_day + DAY
    people = [one.pk for one in practitioners]
    offering = people if visit_type is None else _offering(visit_type, people)
    rows = Availability.objects.filter(
        Q(valid_from=None) | Q(valid_from__lte=last_day),
        Q(valid_until=None) | Q(valid_until__gte=first_day),
        practitioner__in=offering,
    )
    if visit_type is not None:
        rows = rows.filter(Q(visit_types=None) | Q(visit_types=visit_type))
    weekly: dict[uuid.UUID, list[Hours]] = {pk: [] for pk in people}
    fields = ("practitioner", "weekday", "start_time", "end_time", "valid_from", "valid_until")
    for practitioner, *hours in rows.order_by().values_list(*fields):
        weekly[practitioner].append(Hours(*hours))

    exceptions = list(_exceptions(clinic, first_day, last_day))
    ours = [row for row in exceptions if row.practitioner_id is None]
    opening, holidays = _clinics_own(clinic, first_day, last_day)
    rules = {}
    for pk in people:
        own = [row for row in exceptions if row.practitioner_id == pk]
        extra = [spell_of(row) for row in own if row.kind == Kind.EXTRA and pk in offering]
        off = [spell_of(row) for row in [*ours, *own] if row.kind == Kind.OFF]
        rules[pk] = Rules(weekly[pk], opening, holidays, extra, off)
    return rules


def clinic_is_open(clinic: Clinic, at: datetime) -> bool:
    """Whether the clinic is open at an instant: by its opening hours, or when it has none, by its clinicians' hours.

    It is closed on its public holidays and during time off of the whole clinic.
    """
    wall = wall_of(at, zone_of(clinic))
    day = wall.date()
    opening, holidays = _clinics_own(clinic, day, day)
    if opening:
        off = [spell_of(row) for row in _exceptions(clinic, day, day) if row.practitioner_id is None]
        every = [Rules(opening, holidays=holidays, off=off)]
    else:
        people = clinic.practitioners.filter(is_active=True)
        every = list(rules_of(people, clinic=clinic, first_day=day, last_day=day).values())
    return any(start <= wall < end for rules in every for start, end in rules.open_on(day))


def _offering(visit_type: VisitType, people: list[uuid.UUID]) -> list[uuid.UUID]:
    """Who of them offers it: all, unless some are chosen."""
    chosen = set(visit_type.practitioners.values_list("pk", flat=True))
    return [pk for pk in people if not chosen or pk in chosen]


def _exceptions(clinic: Clinic, first_day: date, last_day: date) -> QuerySet[ScheduleException]:
    return clinic.schedule_exceptions.filter(first_day__lte=last_day, last_day__gte=first_day)


def _clinics_own(clinic: Clinic, first_day: date, last_day: date) -> tuple[list[Hours], dict[date, str]]:
    """Its opening hours and its public holidays."""
    fields = (
        "schedule_policy__holiday_region",
        *(f"opening_hours__{name}" for name in ("weekday", "start_time", "end_time")),
    )
    rows = list(Clinic.objects.filter(pk=clinic.pk).order_by().values_list(*fields))
    opening = [Hours(weekday, start, end) for _, weekday, start, end in rows if weekday is not None]
    return opening, public_holidays(rows[0][0] or "", first_day, last_day)
