"""Visits booked together: the same wall-clock time every n weeks, with what is in the way shown before."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Patient, Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.errors import WrongState
from visits.booking.models import Appointment, AppointmentSeries, Hold
from visits.booking.services.booking import book, may_book, same_booking
from visits.booking.services.locks import lock_practitioner, lock_practitioners, lock_visit
from visits.booking.services.moving import move
from visits.booking.services.states import cancel
from visits.booking.times import NEAREST_AFTER, NEAREST_BEFORE, Leaving, nearest_free, times
from visits.schedule.hours import zone_of
from visits.schedule.intervals import Interval
from visits.schedule.models import VisitType
from visits.schedule.slots import Slot
from visits.schedule.wall_clock import instant_of, wall_of

# Free times looked through for one that suits the patient too.
NEAREST = 8


class InTheWay(StrEnum):
    """Why an occurrence cannot be booked."""

    TAKEN = "taken"
    NOT_AVAILABLE = "not-available"
    PATIENT_BUSY = "patient-busy"


@dataclass(frozen=True)
class Occurrence:
    """Where a visit of a series would be; ``instead`` is the nearest free time, if something is in the way."""

    start: datetime
    problem: InTheWay | None = None
    instead: Slot | None = None


def series_starts(
    *,
    practitioner: Practitioner,
    visit_type: VisitType,
    first: datetime,
    weeks: int,
    count: int,
    patient: Patient | None = None,
    hold: Hold | None = None,
) -> list[Occurrence]:
    """``count`` visits ``weeks`` apart from ``first`` on, at its time of the clinic's wall clock, and what is in the
    way of each: a time that does not exist because clocks go forward is none of the clinician's.

    ``hold`` is one's own. A few queries for each visit.
    """
    zone = zone_of(practitioner.clinic)
    wall = wall_of(first, zone)
    walls = [wall + timedelta(weeks=weeks * n) for n in range(count)]
    length = timedelta(minutes=visit_type.minutes)
    elsewhere = _patients_time(patient, first, instant_of(walls[-1], zone) + length)
    return [_occurrence(practitioner, visit_type, one, elsewhere, hold) for one in walls]


def following_starts(
    *,
    visit: Appointment,
    start: datetime,
    practitioner: Practitioner | None = None,
    visit_type: VisitType | None = None,
) -> list[tuple[Appointment, Occurrence]]:
    """The visits ``following`` this one, each with where it would be if all were moved by as much as this one to
    ``start``, by the clinic's wall clock, and what is in the way: the visits that move are not, of each other.

    With the clinician and the type that are given; None: each with its own. A few queries for each visit.
    """
    zone = zone_of(visit.clinic)
    shift = wall_of(start, zone) - wall_of(visit.start, zone)
    later = list(following(visit).select_related("practitioner__clinic", "visit_type"))
    moving = [visit, *later]
    walls = [wall_of(one.start, zone) + shift for one in moving]
    starts = [instant_of(wall, zone) for wall in walls]
    targets = [(begin, begin + timedelta(minutes=(visit_type or one.visit_type).minutes))
               for one, begin in zip(moving, starts, strict=True)]  # fmt: skip
    first, last = min(visit.start, *starts), max(moving[-1].end, targets[-1][1])
    elsewhere = _patients_time(visit.patient, first, last, besides=moving)
    found = []
    for number, one in enumerate(later, 1):
        others = [(other.start, other.end) for other in moving if other != one]
        others += [target for n, target in enumerate(targets) if n != number]
        asked = (practitioner or one.practitioner, visit_type or one.visit_type, walls[number])
        found.append((one, _occurrence(*asked, elsewhere, moving, not_instead=others)))
    return found


def book_series(
    *,
    principal: Principal | None,
    practitioner: Practitioner,
    patient: Patient,
    visit_type: VisitType,
    starts: Sequence[datetime],
    weeks: int,
    hold: Hold | None = None,
    follow_up_of: Appointment | None = None,
) -> list[Appointment]:
    """Book at least two visits that belong together, ``weeks`` apart save for those that were moved: all or none.

    The same series booked again is the first one. Raises what ``book`` raises.
    """
    may_book(principal)
    clinic = principal.clinic if principal else practitioner.clinic
    with transaction.atomic():
        practitioner = lock_practitioner(clinic, practitioner.pk)
        already = same_booking(principal, practitioner, patient, visit_type, starts[0])
        if already is not None and already.series is not None:
            return list(already.series.appointments.all())
        series = AppointmentSeries.objects.create(clinic=clinic, weeks=weeks, count=len(starts))
        return [
            book(
                principal=principal,
                practitioner=practitioner,
                patient=patient,
                visit_type=visit_type,
                start=start,
                hold=hold,
                follow_up_of=follow_up_of,
                series=series,
            )
            for start in starts
        ]


def together_with(visit: Appointment) -> QuerySet[Appointment]:
    """The other visits that were booked together with it, in order; none of one that was booked alone."""
    if visit.series_id is None:
        return Appointment.objects.none()
    others = Appointment.objects.filter(clinic=visit.clinic_id, series=visit.series_id, patient=visit.patient_id)
    return others.exclude(pk=visit.pk).order_by("start")


def following(visit: Appointment) -> QuerySet[Appointment]:
    """Those of them that are booked for after it."""
    return together_with(visit).filter(status=Appointment.Status.BOOKED, start__gt=visit.start)


def cancel_following(*, principal: Principal, visit: Appointment, reason: str = "") -> list[Appointment]:
    """Cancel the visit and those ``following`` it: all or none, by staff. Raises what ``cancel`` raises."""
    with transaction.atomic():
        visit = lock_visit(principal, visit, (Action.VISIT_CHANGE,))
        every = [visit, *following(visit)]
        return [cancel(principal=principal, visit=one, reason=reason) for one in every]


def move_following(
    *,
    principal: Principal,
    visit: Appointment,
    start: datetime,
    later: Mapping[uuid.UUID, datetime],
    practitioner: Practitioner | None = None,
    visit_type: VisitType | None = None,
    reason: str = "",
    hold: Hold | None = None,
) -> list[Appointment]:
    """Move the visit to ``start``, and of those ``following`` it each in ``later`` to its time there: all or none.

    By staff; to the clinician and the type that are given, None: each keeps its own. Moved already, nothing changes.
    Raises what ``move`` raises, and WrongState when one in ``later`` does not follow the visit any more.
    """
    with transaction.atomic():
        visit = lock_visit(principal, visit, (Action.VISIT_CHANGE,))
        rest = following(visit).filter(pk__in=later)
        moving = [visit, *(lock_visit(principal, one, (Action.VISIT_CHANGE,)) for one in rest)]
        if len(moving) != len(later) + 1:
            raise WrongState(visit)
        own = {one.practitioner_id for one in moving}
        lock_practitioners(visit.clinic, own | {practitioner.pk} if practitioner else own)
        starts = {visit.pk: start, **later}
        # One may go where another is now: that one goes first.
        moving.sort(key=lambda one: one.start, reverse=start > visit.start)
        moved = [
            move(
                principal=principal,
                visit=one,
                start=starts[one.pk],
                practitioner=practitioner,
                visit_type=visit_type,
                reason=reason,
                hold=hold if one == visit else None,
            )
            for one in moving
        ]
        return sorted(moved, key=lambda one: one.start)


def _occurrence(
    practitioner: Practitioner,
    visit_type: VisitType,
    wall: datetime,
    elsewhere: Sequence[Interval],
    leaving: Leaving,
    *,
    not_instead: Sequence[Interval] = (),
) -> Occurrence:
    """``leaving``: whose time counts as free; ``not_instead``: when another time must not be offered."""
    zone = zone_of(practitioner.clinic)
    start = instant_of(wall, zone)
    of_day = times(
        practitioner=practitioner,
        visit_type=visit_type,
        first_day=wall.date(),
        last_day=wall.date(),
        instead_of=leaving,
    )
    slot = Slot(start, start + timedelta(minutes=visit_type.minutes))
    if slot not in of_day.all or wall_of(start, zone) != wall:
        problem = InTheWay.NOT_AVAILABLE
    elif slot not in of_day.free:
        problem = InTheWay.TAKEN
    elif not _is_clear(slot, elsewhere):
        problem = InTheWay.PATIENT_BUSY
    else:
        return Occurrence(start)
    near = nearest_free(
        practitioner=practitioner, visit_type=visit_type, wanted=start, count=NEAREST, instead_of=leaving
    )
    clear = [one for one in near if _is_clear(one, [*elsewhere, *not_instead])]
    return Occurrence(start, problem, min(clear, key=lambda one: abs(one.start - start), default=None))


def _patients_time(
    patient: Patient | None, first: datetime, last: datetime, *, besides: Iterable[Appointment] = ()
) -> list[Interval]:
    """When the patient has visits already, ``besides`` those given; of a patient who is still new, never."""
    visits = Appointment.objects.filter(patient=patient, status__in=Appointment.ACTIVE)
    visits = visits.exclude(pk__in=[one.pk for one in besides])
    around = visits.filter(end__gt=first - NEAREST_BEFORE, start__lt=last + NEAREST_AFTER) if patient else visits.none()
    return list(around.order_by().values_list("start", "end"))


def _is_clear(slot: Slot, of: Sequence[Interval]) -> bool:
    return not any(start < slot.end and slot.start < end for start, end in of)
