"""Keeping a time for somebody who is booking it. A hold names no patient, so nothing of it is in the audit trail."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404
from django.utils import timezone

from accounts.models import Practitioner, User
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.errors import SlotTaken
from visits.booking.models import Appointment, Hold, busy
from visits.booking.services import checks
from visits.booking.services.locks import lock_practitioner
from visits.schedule.models import VisitType


def hold(
    *,
    principal: Principal | None,
    practitioner: Practitioner,
    visit_type: VisitType,
    start: datetime,
    lasts: timedelta = Hold.LASTS,
    caller: str | None = None,
    visit: Appointment | None = None,
) -> Hold:
    """Keep the slot that begins at ``start`` for ``lasts``.

    A member of staff holds one time at most: what they held before is given up, and if that was the very same slot,
    it stays as it is.

    ``principal`` None is the system: for a patient who books online, or for an offer. Such a hold, and that of a
    patient with a link, belongs to who knows its id. ``caller`` tells who asks for it apart from others.
    ``visit`` is one that is to be moved there.

    Raises SlotTaken, NotAvailable, Http404 for what belongs to another clinic, PermissionDenied.
    """
    if principal is not None and not (principal.may(Action.VISIT_BOOK) or principal.may(Action.VISIT_CHANGE_OWN)):
        raise PermissionDenied
    clinic = principal.clinic if principal else practitioner.clinic
    with transaction.atomic():
        practitioner = lock_practitioner(clinic, practitioner.pk)
        if visit_type.clinic_id != clinic.pk:
            raise Http404
        now = timezone.now()
        held = Hold(
            clinic=clinic,
            practitioner=practitioner,
            visit_type=visit_type,
            start=start,
            end=start + timedelta(minutes=visit_type.minutes),
            expires_at=now + lasts,
            held_by=_user(principal),
            caller=caller,
            created_at=now,
        )
        already = _same_hold(held, now)
        if already is not None:
            return already
        if held.held_by is not None:
            Hold.objects.filter(held_by=held.held_by).delete()
        keeps_type = visit is not None and visit.visit_type_id == visit_type.pk
        checks.check_offered(practitioner, visit_type, start, now, for_patient=False, keeps_type=keeps_type)
        if checks.is_taken(practitioner, *busy(visit_type, held.start, held.end), now):
            raise SlotTaken(practitioner, visit_type, start)
        try:
            with transaction.atomic():
                held.save(force_insert=True)
        except IntegrityError as error:
            raise SlotTaken(practitioner, visit_type, start) from error
        return held


def extend(hold: Hold, *, until: datetime) -> bool:
    """Keep it until then; False when it is gone or has expired by now."""
    live = Hold.objects.filter(pk=hold.pk, expires_at__gt=timezone.now())
    return live.update(expires_at=until) == 1


def release(hold: Hold) -> None:
    """Give the time back. A hold that is gone already, by itself or because it was booked, is no error."""
    Hold.objects.filter(pk=hold.pk).delete()


def own(hold: Hold | None, principal: Principal | None, visit: Appointment, now: datetime) -> list[Hold]:
    """What makes room for the visit: the live hold that was named, and what the same member of staff holds there."""
    user = _user(principal)
    mine = Hold.objects.filter(held_by=user, expires_at__gt=now)
    named = Q(pk=hold.pk) if hold else Q(pk=None)
    begin, finish = busy(visit.visit_type, visit.start, visit.end)
    there = Q(practitioner=visit.practitioner, busy_start__lt=finish, busy_end__gt=begin)
    return list(mine.filter(named | there if user else named))


def asked_at(own: Iterable[Hold], visit: Appointment) -> datetime | None:
    """When the time of the visit was asked for first, if that is what was held."""
    wanted = (visit.practitioner_id, visit.visit_type_id, visit.start)
    return next(
        (held.created_at for held in own if (held.practitioner_id, held.visit_type_id, held.start) == wanted), None
    )


def _same_hold(held: Hold, now: datetime) -> Hold | None:
    """What the same member of staff holds already: a form sent twice."""
    if held.held_by is None:
        return None
    return Hold.objects.filter(
        practitioner=held.practitioner,
        visit_type=held.visit_type,
        start=held.start,
        held_by=held.held_by,
        expires_at__gt=now,
    ).first()


def _user(principal: Principal | None) -> User | None:
    return principal.user if principal else None
