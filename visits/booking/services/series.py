"""Visits booked together: the same wall-clock time every n weeks, with what is in the way shown before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Patient, Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.models import Appointment, AppointmentSeries, Hold
from visits.booking.services.booking import book, may_book, same_booking
from visits.booking.services.locks import lock_practitioner, lock_visit
from visits.booking.services.states import cancel
from visits.booking.times import NEAREST_AFTER, NEAREST_BEFORE, nearest_free, times
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
    """A visit of a series that is not booked yet; ``instead`` is the nearest free time, if something is in the way."""

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


def _occurrence(
    practitioner: Practitioner,
    visit_type: VisitType,
    wall: datetime,
    elsewhere: Sequence[Interval],
    hold: Hold | None,
) -> Occurrence:
    zone = zone_of(practitioner.clinic)
    start = instant_of(wall, zone)
    of_day = times(
        practitioner=practitioner,
        visit_type=visit_type,
        first_day=wall.date(),
        last_day=wall.date(),
        instead_of=hold,
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
    near = nearest_free(practitioner=practitioner, visit_type=visit_type, wanted=start, count=NEAREST, instead_of=hold)
    clear = [one for one in near if _is_clear(one, elsewhere)]
    return Occurrence(start, problem, min(clear, key=lambda one: abs(one.start - start), default=None))


def _patients_time(patient: Patient | None, first: datetime, last: datetime) -> list[Interval]:
    """When the patient has visits already; of a patient who is still new, never."""
    visits = Appointment.objects.filter(patient=patient, status__in=Appointment.ACTIVE)
    around = visits.filter(end__gt=first - NEAREST_BEFORE, start__lt=last + NEAREST_AFTER) if patient else visits.none()
    return list(around.order_by().values_list("start", "end"))


def _is_clear(slot: Slot, of: Sequence[Interval]) -> bool:
    return not any(start < slot.end and slot.start < end for start, end in of)
