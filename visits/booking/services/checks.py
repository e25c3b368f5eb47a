"""What must be true of a visit's time before it is written. Under the practitioner's and the patient's lock."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Practitioner
from visits.booking.errors import NotAvailable, PatientBusy, SlotTaken, TooLate
from visits.booking.models import Appointment, Hold, busy
from visits.booking.times import REACH, is_slot
from visits.schedule.models import SchedulePolicy, VisitType


def changeable_until(visit: Appointment) -> datetime:
    """Until when patients may move or cancel the visit by themselves, by the clinic's notice."""
    return visit.start - timedelta(hours=SchedulePolicy.of(visit.clinic).change_notice)


def check_notice(visit: Appointment) -> None:
    """Raise TooLate when the patient can no longer change the visit without calling the clinic."""
    until = changeable_until(visit)
    if timezone.now() > until:
        raise TooLate(visit, until)


def check_offered(
    practitioner: Practitioner,
    visit_type: VisitType,
    start: datetime,
    asked_at: datetime,
    *,
    for_patient: bool,
    keeps_type: bool = False,
) -> None:
    """Raise NotAvailable unless it is one of the practitioner's times for that type, to come when it was asked for.

    ``for_patient``: the type's notice and days ahead bind too. ``keeps_type``: the visit has the type already, so it
    need not be one that is still booked.
    """
    is_offered = (
        start >= asked_at
        and practitioner.is_active
        and (visit_type.is_active or keeps_type)
        and is_slot(
            practitioner=practitioner, visit_type=visit_type, start=start, now=asked_at, for_patient=for_patient
        )
    )
    if not is_offered:
        raise NotAvailable(practitioner, visit_type, start)


def check_free(visit: Appointment, now: datetime, own: Iterable[Hold] = ()) -> None:
    """Raise SlotTaken if an active visit or a hold lies where the visit and its buffers are, PatientBusy likewise.

    What is one's ``own``, and holds that have expired, make room.
    """
    Hold.objects.filter(pk__in=[hold.pk for hold in own]).delete()
    begin, finish = busy(visit.visit_type, visit.start, visit.end)
    if is_taken(visit.practitioner, begin, finish, now, besides=visit):
        raise SlotTaken(visit.practitioner, visit.visit_type, visit.start)
    of_patient = _active(visit).filter(patient=visit.patient, start__lt=visit.end, end__gt=visit.start)
    other = of_patient.select_related("practitioner", "patient").first()
    if other is not None:
        raise PatientBusy(other)


def is_taken(
    practitioner: Practitioner, begin: datetime, finish: datetime, now: datetime, *, besides: Appointment | None = None
) -> bool:
    """Whether something active of the practitioner, or something held, overlaps. Deletes holds that have expired."""
    # Found by the index of starts, however long the history.
    near = Q(practitioner=practitioner, start__gt=begin - REACH, start__lt=finish + REACH)
    overlaps = near & Q(busy_start__lt=finish, busy_end__gt=begin)
    held = list(Hold.objects.filter(overlaps))
    expired = [hold.pk for hold in held if not hold.is_live(now)]
    if expired:
        Hold.objects.filter(pk__in=expired).delete()
    return len(held) > len(expired) or _active(besides).filter(overlaps).exists()


def save(visit: Appointment, **how: Any) -> None:
    """Save; the database's own refusal of an overlap becomes SlotTaken or PatientBusy."""
    try:
        with transaction.atomic():
            visit.save(**how)
    except IntegrityError:
        check_free(visit, timezone.now())
        raise


def _active(besides: Appointment | None) -> QuerySet[Appointment]:
    active = Appointment.objects.filter(status__in=Appointment.ACTIVE)
    return active.exclude(pk=besides.pk) if besides else active
