"""Running late: one word of a clinician, and the day knows it.

The first visit that has not begun when it is said is late by the whole delay. Each break after it takes up some of
it, so of those that follow only some are late, by less and less; who is not late is not told. A delay is of one day
and ends with it. It does not grow by itself: when the first visit has begun, the others are as late as was said.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from math import ceil

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.models import Clinic, Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking import services as booking
from visits.booking.access import VISITS
from visits.booking.models import Appointment
from visits.booking.services.locks import lock_patient, lock_practitioner
from visits.live import events
from visits.reminders import services as reminders
from visits.reminders.models import Communication
from visits.reminders.services import rules
from visits.schedule.hours import bounds_of_day, day_of
from visits.waiting.models import Delay, DelayedVisit

Status = Appointment.Status
State = Communication.State
Reason = Communication.Reason
# It went out, or may have.
HEARD = {State.CLAIMED, State.SENT, State.UNKNOWN}
LATE = Communication.Kind.RUNNING_LATE

ROUND = 5  # minutes: nobody can say it more exactly
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Told:
    """A visit whose patient is to hear something new: that it is ``minutes`` late, or on time again (0)."""

    visit: Appointment
    minutes: int
    is_reachable: bool

    @property
    def is_waiting(self) -> bool:
        return self.visit.status == Status.ARRIVED


@dataclass(frozen=True)
class Shift:
    """A later visit, and the time at which it can begin; ``problem`` is why it cannot be moved there."""

    visit: Appointment
    minutes: int
    problem: booking.BookingError | None = None

    @property
    def start(self) -> datetime:
        return self.visit.start + self.minutes * MINUTE


class InTheWay(Exception):
    """Not all visits can be moved, and none was: ``shifts`` say which cannot, and why."""

    def __init__(self, shifts: list[Shift]) -> None:
        super().__init__("in the way")
        self.shifts = shifts


def carried(minutes: int, busy: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """How many minutes late each stretch begins when the first one is ``minutes`` late; in order. Pure."""
    found: list[int] = []
    for at, (begin, _end) in enumerate(busy):
        if at:
            pause = max(begin - busy[at - 1][1], timedelta()) // MINUTE
            minutes = max(0, ceil((minutes - pause) / ROUND) * ROUND)
        found.append(minutes)
    return found


def delays(clinic: Clinic, now: datetime) -> list[Delay]:
    """Who of the clinic is late today."""
    late = Delay.objects.filter(practitioner__clinic=clinic, day=day_of(clinic, now), minutes__gt=0)
    return list(late.select_related("practitioner", "changed_by").order_by("practitioner__name"))


def delay_of(practitioner: Practitioner, now: datetime) -> Delay | None:
    return Delay.objects.filter(practitioner=practitioner, day=day_of(practitioner.clinic, now), minutes__gt=0).first()


def minutes_late(visit: Appointment, now: datetime) -> int:
    """By how much the visit is expected to begin late; 0 when nobody says so, or that time has passed."""
    delay = delay_of(visit.practitioner, now)
    minutes = _behind(visit.practitioner, delay.minutes, now, delay.since).get(visit.pk, 0) if delay else 0
    return minutes if visit.start + minutes * MINUTE > now else 0


def practitioner_for(principal: Principal, pk: uuid.UUID | str) -> Practitioner:
    """The clinician, for who may say how late they are: they themselves, or the front desk. Raises Http404."""
    found = Practitioner.objects.select_related("clinic").filter(pk=pk, clinic=principal.clinic, is_active=True).first()
    is_own = found is not None and found.user_id is not None and principal.user == found.user
    if found is None or not (principal.may(Action.DELAY_SET_ALL) or (principal.may(Action.DELAY_SET) and is_own)):
        raise Http404
    return found


def who_is_told(practitioner: Practitioner, minutes: int, now: datetime) -> list[Told]:
    """Who would hear something new if the clinician were ``minutes`` late: never what they know already."""
    return _told(list(_of_day(practitioner, now)), _behind(practitioner, minutes, now), now)


def _told(visits: list[Appointment], behind: dict[uuid.UUID, int], now: datetime) -> list[Told]:
    words = _words(visits)
    found = []
    for visit in visits:
        minutes, word = behind.get(visit.pk, 0), words.get(visit.pk, _Word())
        if minutes not in {word.last, word.heard}:
            found.append(Told(visit, minutes, _is_reachable(visit, minutes, now)))
    return found


def set_delay(*, principal: Principal, practitioner: Practitioner, minutes: int) -> list[Told]:
    """Note that the clinician is ``minutes`` late today, one of ``Delay.STEPS``, or on time again: 0.

    Boards and patients' pages show it; who it is news to gets a message, and is returned. Said again nothing changes.
    Raises Http404 for who may not, ValueError for other minutes.
    """
    if minutes not in {0, *Delay.STEPS}:
        raise ValueError(f"{minutes} minutes")
    now = timezone.now()
    with transaction.atomic():
        practitioner = practitioner_for(principal, practitioner.pk)
        delay = _locked(practitioner, now)
        visits, behind = list(_of_day(practitioner, now)), _behind(practitioner, minutes, now)
        told = _told(visits, behind, now)
        _call_off(behind, visits)
        if delay.minutes == minutes and not told:
            return []
        delay.minutes, delay.serial, delay.changed_at, delay.changed_by = minutes, delay.serial + 1, now, principal.user
        delay.since = min((visit.busy_start for visit in visits if visit.pk in behind), default=now)
        delay.save()
        for one in told:
            details = {"minutes": one.minutes}
            reminders.announce(one.visit, LATE, serial_of=f"{delay.pk}.{delay.serial}", details=details)
        record(
            "delay.set",
            Audit.UPDATE,
            principal=principal,
            entity=delay,
            detail={"practitioner": str(practitioner.pk), "minutes": minutes, "told": len(told)},
        )
        events.board_changed(practitioner.clinic_id)
        events.line_changed(practitioner.pk)
    return told


def shifts(practitioner: Practitioner, now: datetime) -> list[Shift]:
    """The later visits that begin late, and when they can begin; in order."""
    delay = delay_of(practitioner, now)
    behind = _behind(practitioner, delay.minutes, now, delay.since) if delay else {}
    later = _of_day(practitioner, now).filter(status=Status.BOOKED, start__gt=now)
    return [Shift(visit, behind[visit.pk]) for visit in later if behind.get(visit.pk)]


def move_later(*, principal: Principal, practitioner: Practitioner, besides: set[uuid.UUID]) -> list[Shift]:
    """Move all later visits that begin late to when they can begin, ``besides`` those that stay; return the moved.

    All or none: raises InTheWay when one cannot be moved. Raises Http404 for who may not.
    """
    now = timezone.now()
    with transaction.atomic():
        practitioner = practitioner_for(principal, practitioner.pk)
        delay = _locked(practitioner, now)
        seen = [shift.visit for shift in shifts(practitioner, now) if shift.visit.pk not in besides]
        _lock_all(practitioner, seen)
        # As they are under the locks: a colleague may have moved one just before.
        wanted = [shift for shift in shifts(practitioner, now) if shift.visit in seen]
        # The last one first: it makes room for the one before.
        done = [_move(principal, shift) for shift in reversed(wanted)][::-1]
        if any(shift.problem for shift in done):
            transaction.set_rollback(True)
        else:
            _note_moved(delay, done)
    if any(shift.problem for shift in done):
        raise InTheWay(done)
    return done


def _move(principal: Principal, shift: Shift) -> Shift:
    with translation.override(shift.visit.clinic.language):
        reason = _("The clinician was running late.")
    try:
        booking.move(principal=principal, visit=shift.visit, start=shift.start, reason=reason, at_any_time=True)
    except booking.BookingError as problem:
        return Shift(shift.visit, shift.minutes, problem)
    return shift


def _note_moved(delay: Delay, done: list[Shift]) -> None:
    for shift in done:
        row, _is_new = DelayedVisit.objects.get_or_create(delay=delay, appointment=shift.visit, defaults={"minutes": 0})
        row.minutes += shift.minutes
        row.save(update_fields=["minutes"])


def _lock_all(practitioner: Practitioner, visits: list[Appointment]) -> None:
    """In the order in which everybody locks (``booking.services.locks``)."""
    rows = Appointment.objects.select_for_update(no_key=True).filter(pk__in=[visit.pk for visit in visits])
    list(rows.order_by("pk"))
    lock_practitioner(practitioner.clinic, practitioner.pk)
    for pk in sorted({visit.patient_id for visit in visits}):
        lock_patient(practitioner.clinic, pk)


def _locked(practitioner: Practitioner, now: datetime) -> Delay:
    day = day_of(practitioner.clinic, now)
    Delay.objects.get_or_create(practitioner=practitioner, day=day)
    return Delay.objects.select_for_update(no_key=True).get(practitioner=practitioner, day=day)


def _of_day(practitioner: Practitioner, now: datetime) -> QuerySet[Appointment]:
    """The clinician's visits of today that have not begun: who waits, and who is to come."""
    start, end = bounds_of_day(practitioner.clinic, now)
    return VISITS.filter(
        Q(status=Status.BOOKED) | Q(status=Status.ARRIVED, ticket__admitted_at=None),
        practitioner=practitioner,
        start__gte=start,
        start__lt=end,
    ).order_by("start")


def _behind(
    practitioner: Practitioner, minutes: int, now: datetime, since: datetime | None = None
) -> dict[uuid.UUID, int]:
    """How late each visit that has not begun will begin. Who did not come at a time that has gone is not counted.

    ``since``: it is counted from there on, so that what has begun meanwhile has had its part of the delay.
    """
    to_come = [
        visit
        for visit in _of_day(practitioner, now)
        if visit.status == Status.ARRIVED or visit.start + minutes * MINUTE > now
    ]
    if not to_come or not minutes:
        return {}
    visits = sorted([*to_come, *_begun(practitioner, since)], key=lambda visit: visit.busy_start)
    moved = DelayedVisit.objects.filter(
        delay__practitioner=practitioner, delay__day=day_of(practitioner.clinic, now), appointment=visits[0]
    )
    known = moved.values_list("minutes", flat=True).first() or 0
    late = carried(max(0, minutes - known), [(visit.busy_start, visit.busy_end) for visit in visits])
    by_visit = {visit.pk: by for visit, by in zip(visits, late, strict=True)}
    return {visit.pk: by_visit[visit.pk] for visit in to_come}


def _begun(practitioner: Practitioner, since: datetime | None) -> QuerySet[Appointment]:
    """The visits from an instant on that have begun, or are over."""
    if since is None:
        return Appointment.objects.none()
    is_begun = Q(status=Status.FULFILLED) | Q(status=Status.ARRIVED, ticket__admitted_at__isnull=False)
    # By its start, too, which has an index.
    return VISITS.filter(is_begun, practitioner=practitioner, start__gte=since, busy_start__gte=since)


@dataclass(frozen=True)
class _Word:
    """What the ledger has on a visit's delay: the last word, also one that cannot be sent, and the last one heard."""

    last: int = 0
    heard: int = 0


def _words(visits: list[Appointment]) -> dict[uuid.UUID, _Word]:
    """By visit, of the time as it is now: who was moved since has heard nothing yet."""
    revisions = {visit.pk: visit.revision for visit in visits}
    rows = Communication.objects.filter(appointment__in=visits, kind=LATE).exclude(reason=Reason.SUPERSEDED)
    words: dict[uuid.UUID, _Word] = {}
    for pk, revision, state, details in rows.order_by("serial").values_list(
        "appointment_id", "revision", "state", "details"
    ):
        if pk is not None and revision == revisions[pk]:
            minutes = int(details["minutes"])
            before = words.get(pk, _Word()).heard
            words[pk] = _Word(minutes, minutes if state in HEARD else before)
    return words


def _call_off(behind: dict[uuid.UUID, int], visits: list[Appointment]) -> None:
    """What is planned and not true any more will not be sent."""
    planned = Communication.objects.filter(appointment__in=visits, kind=LATE, state=State.PLANNED)
    untrue = [row.pk for row in planned if row.details["minutes"] != behind.get(row.visit.pk, 0)]
    Communication.objects.filter(pk__in=untrue, state=State.PLANNED).update(
        state=State.SUPPRESSED, reason=Reason.SUPERSEDED
    )


def _is_reachable(visit: Appointment, minutes: int, now: datetime) -> bool:
    for person, channel in product(rules.recipients(visit.patient), rules.channels(visit.clinic, LATE)):
        message = Communication(
            appointment=visit,
            patient=visit.patient,
            related_person=person,
            revision=visit.revision,
            kind=LATE,
            channel=channel,
            details={"minutes": minutes},
        )
        if not rules.why_not(message, now=now):
            return True
    return False
