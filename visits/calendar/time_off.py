"""Time off and extra hours, entered in the calendar. Each verb is one transaction with its audit event."""

import uuid
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.models import Appointment
from visits.calendar import grid
from visits.schedule.hours import spell_of, zone_of
from visits.schedule.intervals import common
from visits.schedule.models import ScheduleException
from visits.schedule.rules import Spell
from visits.schedule.wall_clock import bounds

Kind = ScheduleException.Kind


def people_of(principal: Principal) -> list[Practitioner]:
    """Whose time off the person may enter: everybody's, or their own."""
    people = principal.clinic.practitioners.filter(is_active=True)
    return list(people if principal.may(Action.SCHEDULE_CHANGE_ALL) else people.filter(user=principal.user))


def exception_for(principal: Principal, pk: uuid.UUID | str, *, lock: bool = False) -> ScheduleException:
    """The one door to time off. Raises Http404 alike for what does not exist, another clinic's, and who may not."""
    rows = ScheduleException.objects.select_related("clinic", "practitioner")
    if lock:
        rows = rows.select_for_update(of=("self",))
    row = rows.filter(pk=pk, clinic=principal.clinic).first()
    if row is None or not _may(principal, row.practitioner):
        raise Http404
    return row


def save(*, principal: Principal, exception: ScheduleException) -> list[Appointment]:
    """Add or change time off or extra hours; return the visits that time off leaves in its way: they stay booked.

    Bookings of the people concerned wait meanwhile, so none of these visits is missed. Raises Http404 for who may
    not, also with what was there before, ValidationError for what makes no sense.
    """
    with transaction.atomic():
        is_new = exception._state.adding
        if not is_new:
            exception_for(principal, exception.pk, lock=True)
        exception.clinic = principal.clinic
        if not _may(principal, exception.practitioner):
            raise Http404
        exception.full_clean()
        _lock(exception)
        exception.save()
        _record(principal, exception, Audit.CREATE if is_new else Audit.UPDATE)
        return visits_in(exception)


def remove(*, principal: Principal, exception: ScheduleException) -> None:
    """Take time off or extra hours back. Raises Http404 for who may not."""
    with transaction.atomic():
        exception = exception_for(principal, exception.pk, lock=True)
        _record(principal, exception, Audit.DELETE)
        exception.delete()


def visits_in(exception: ScheduleException) -> list[Appointment]:
    """The booked visits that lie in time off; none for extra hours."""
    if exception.kind != Kind.OFF:
        return []
    zone = zone_of(exception.clinic)
    start, end = bounds(exception.first_day, exception.last_day, zone)
    visits = Appointment.objects.filter(
        clinic=exception.clinic, status=Appointment.Status.BOOKED, start__lt=end, end__gt=start
    )
    if exception.practitioner is not None:
        visits = visits.filter(practitioner=exception.practitioner)
    off = spell_of(exception)
    return [visit for visit in visits.select_related("patient", "practitioner") if _is_in(off, visit, zone)]


def _is_in(off: Spell, visit: Appointment, zone: ZoneInfo) -> bool:
    days = {visit.start.astimezone(zone).date(), visit.end.astimezone(zone).date()}
    stretches = [stretch for stretch in map(off.on, days) if stretch is not None]
    return bool(common([(visit.start, visit.end)], grid.instants(stretches, zone)))


def _may(principal: Principal, practitioner: Practitioner | None) -> bool:
    if principal.may(Action.SCHEDULE_CHANGE_ALL):
        return practitioner is None or practitioner.clinic_id == principal.clinic.pk
    return (
        principal.may(Action.SCHEDULE_CHANGE)
        and practitioner is not None
        and practitioner.clinic_id == principal.clinic.pk
        and principal.user is not None
        and practitioner.user_id == principal.user.pk
    )


def _lock(exception: ScheduleException) -> None:
    """Whoever books takes these rows too, in the same order."""
    concerned = Q(pk=exception.practitioner_id) if exception.practitioner_id else Q(is_active=True)
    people: QuerySet[Practitioner] = exception.clinic.practitioners.filter(concerned)
    list(people.select_for_update(no_key=True).order_by("pk"))


def _record(principal: Principal, exception: ScheduleException, action: Audit) -> None:
    record(
        "schedule.except",
        action,
        principal=principal,
        entity=exception,
        detail={
            "kind": exception.kind,
            "practitioner": str(exception.practitioner_id or ""),
            "first_day": str(exception.first_day),
            "last_day": str(exception.last_day),
        },
    )
