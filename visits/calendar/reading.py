"""Reads what a calendar shows. The queries are as many for two thousand visits as for none."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic, Practitioner
from visits.booking.models import Appointment, Hold
from visits.calendar.once import Once
from visits.calendar.signals import arrived_visits_shown
from visits.schedule.models import ScheduleException, VisitType

Status = Appointment.Status

# The states of a visit as people tell them apart, with their icons.
KINDS = {
    "booked": (_("Booked"), "cal"),
    "arrived": (_("Arrived"), "door"),
    "waiting": (_("Waiting"), "hourglass"),
    "visit": (_("In visit"), "cam"),
    "late": (_("Not here yet"), "late"),
    "noshow": (_("No-show"), "noshow"),
    "done": (_("Finished"), "check"),
}
LONGEST_VISIT = timedelta(hours=8)


@dataclass(slots=True)
class Visit:
    """What the calendar shows of one visit; ``kind`` is one of ``KINDS``."""

    pk: uuid.UUID
    practitioner: uuid.UUID
    start: datetime
    end: datetime
    status: str
    visit_type: VisitType
    mode: str
    patient: str
    kind: str = "booked"


def visits_between(
    clinic: Clinic, people: Collection[uuid.UUID], start: datetime, end: datetime, now: datetime
) -> list[Visit]:
    """The visits of these practitioners that touch the time, in order; cancelled ones are gone."""
    types = {one.pk: one for one in clinic.visit_types.all()}
    rows = (
        Appointment.objects.filter(clinic=clinic, start__gte=start - LONGEST_VISIT, start__lt=end, end__gt=start)
        .exclude(status=Status.CANCELLED)
        .order_by("start", "pk")
        .values_list(
            "pk",
            Once("practitioner", {pk: pk for pk in people}.get),
            Once("start"),
            Once("end"),
            "status",
            Once("visit_type", types.get),
            "mode",
            "patient__given_name",
            "patient__family_name",
        )
    )
    if len(people) == 1:
        rows = rows.filter(practitioner__in=people)
    visits = [
        Visit(pk, practitioner, start, end, status, visit_type, mode, f"{given} {family}")
        for pk, practitioner, start, end, status, visit_type, mode, given, family in rows
        if practitioner is not None
    ]
    _tell_apart(visits, now)
    return visits


def holds_between(
    clinic: Clinic, people: Collection[uuid.UUID], start: datetime, end: datetime, now: datetime
) -> list[Hold]:
    """Times that somebody is booking just now."""
    live = Hold.objects.filter(clinic=clinic, expires_at__gt=now, start__lt=end, end__gt=start)
    return [hold for hold in live.select_related("held_by") if hold.practitioner_id in people]


def exceptions_between(
    clinic: Clinic, people: Collection[Practitioner], first_day: date, last_day: date
) -> list[ScheduleException]:
    """Time off and extra hours of these practitioners and of the whole clinic, on days of the clinic's calendar."""
    rows = clinic.schedule_exceptions.filter(first_day__lte=last_day, last_day__gte=first_day)
    rows = rows.filter(Q(practitioner=None) | Q(practitioner__in=[one.pk for one in people]))
    return list(rows.select_related("practitioner"))


def _tell_apart(visits: list[Visit], now: datetime) -> None:
    kinds = {Status.ARRIVED.value: "arrived", Status.FULFILLED.value: "done", Status.NOSHOW.value: "noshow"}
    arrived = [visit.pk for visit in visits if visit.status == Status.ARRIVED]
    told: dict[uuid.UUID, str] = {}
    for _receiver, answer in arrived_visits_shown.send(sender=Appointment, visits=arrived, now=now):
        told |= cast(dict[uuid.UUID, str], answer)
    for visit in visits:
        kind = kinds.get(visit.status) or ("late" if visit.start <= now else "booked")
        visit.kind = told.get(visit.pk, kind)
