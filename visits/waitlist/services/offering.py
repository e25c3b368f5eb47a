"""Offers what became free to one patient after the other. Any number of workers may do it at once.

What a worker finds is in the database: openings that are not closed, offers that have run out. Each offer is one
transaction under the lock of its visit's row, with its hold and its message, and the hold ends with the offer. So a
worker that dies anywhere leaves either all of an offer or nothing of it, and no time is kept for longer than it says.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from visits.booking import services as booking
from visits.booking.models import Appointment, Hold
from visits.booking.services.locks import lock_visit
from visits.booking.times import free_slots
from visits.reminders import services as reminders
from visits.schedule.hours import zone_of
from visits.schedule.models import SchedulePolicy, VisitType
from visits.schedule.slots import Slot
from visits.waitlist.fitting import WORTH, deadline
from visits.waitlist.models import Offer, Opening, WaitlistEntry
from visits.waitlist.reach import readable_at
from visits.waitlist.services import entries
from visits.waitlist.services.closing import close_offer, lock

State = Offer.State
End = WaitlistEntry.End


def tick(now: datetime | None = None) -> int:
    """End what is over, take back what was not answered in time, offer what is free; return how many offers."""
    now = now or timezone.now()
    _end_entries(now)
    _expire_offers(now)
    openings = Opening.objects.filter(closed_at=None).select_related("practitioner__clinic")
    return sum(_serve(opening, now) for opening in openings)


def _end_entries(now: datetime) -> None:
    """Whose visit has begun, or whose last day is over on their own clock."""
    active = WaitlistEntry.objects.filter(ended_at=None)
    # A day that is over somewhere, not yet everywhere.
    tomorrow = (now + timedelta(days=1)).date()
    near = active.filter(Q(appointment__start__lte=now) | Q(last_day__lt=tomorrow))
    for entry in near.select_related("appointment__patient__clinic"):
        if entry.appointment.start <= now:
            why = End.CLOSED
        elif entry.last_day < now.astimezone(entry.wish.zone).date():
            why = End.PAST
        else:
            continue
        with transaction.atomic():
            entries.end(lock_visit(None, entry.appointment, ()), why)


def _expire_offers(now: datetime) -> None:
    for offer in Offer.objects.filter(state=State.OPEN, until__lte=now):
        with transaction.atomic():
            visit, offer = lock(offer)
            if offer.state != State.OPEN:
                continue  # answered in the last moment
            close_offer(offer, State.EXPIRED)
            record("waitlist.expire", Audit.UPDATE, clinic=visit.clinic, entity=offer, patient=visit.patient)


def _serve(opening: Opening, now: datetime) -> int:
    """Offer what is free of the opening to who comes first and was not asked yet; close it when nobody is left."""
    made, is_done, free = 0, not _is_held(opening, now), _Free(opening, now)
    asked = dict(opening.offers.values_list("entry", "state"))
    lasts = timedelta(minutes=SchedulePolicy.of(opening.practitioner.clinic).offer_minutes)
    for entry in _entries_for(opening):
        if entry.pk in asked:
            is_done &= asked[entry.pk] != State.OPEN
            continue
        slots = free.for_entry(entry)
        readable = readable_at(entry, now) if slots else None
        if readable is None:
            continue
        if Offer.objects.filter(entry=entry, state=State.OPEN).exists():
            is_done = False  # when they have answered that one
            continue
        ends = {slot: deadline(slot.start, now=now, readable_at=readable, lasts=lasts) for slot in slots}
        if any(_offer(opening, entry, slot, until - now) for slot, until in ends.items() if until):
            made, is_done = made + 1, False
        elif readable > now:  # in their quiet hours: perhaps afterwards
            is_done &= not any(deadline(slot.start, now=readable, readable_at=readable, lasts=lasts) for slot in slots)
    if is_done or opening.end <= now:
        Opening.objects.filter(pk=opening.pk, closed_at=None).update(closed_at=now)
    return made


def _is_held(opening: Opening, now: datetime) -> bool:
    """Whether somebody is booking there, or is being offered it: it may be free again."""
    return Hold.objects.filter(
        practitioner=opening.practitioner,
        busy_start__lt=opening.end,
        busy_end__gt=opening.begin,
        expires_at__gt=now,
    ).exists()


def _entries_for(opening: Opening) -> QuerySet[WaitlistEntry]:
    """Who may want it, longest on the list first."""
    same = Q(anyone=True) | Q(appointment__practitioner=opening.practitioner_id)
    found = WaitlistEntry.objects.filter(
        same,
        ended_at=None,
        appointment__clinic=opening.practitioner.clinic_id,
        appointment__status=Appointment.Status.BOOKED,
        appointment__start__gte=opening.begin + WORTH,
    )
    return found.select_related("appointment__patient__clinic", "appointment__visit_type", "appointment__clinic")


class _Free:
    """The opening's free slots, looked up once for each visit type."""

    def __init__(self, opening: Opening, now: datetime) -> None:
        self.opening = opening
        self.now = now
        self._of_type: dict[UUID, list[Slot]] = {}

    def for_entry(self, entry: WaitlistEntry) -> list[Slot]:
        """Those that the patient wants, is free for, and has not let pass before; the earliest first."""
        visit = entry.appointment
        slots = [slot for slot in self._slots(visit.visit_type) if entry.wish.fits(slot.start, visit.start)]
        if not slots:
            return []
        let_pass = Offer.objects.filter(
            entry=entry, practitioner=self.opening.practitioner, state__in=(State.DECLINED, State.EXPIRED)
        )
        past = set(let_pass.values_list("start", flat=True))
        others = Appointment.objects.filter(
            patient=visit.patient, status__in=Appointment.ACTIVE, start__lt=slots[-1].end, end__gt=slots[0].start
        )
        busy = list(others.exclude(pk=visit.pk).values_list("start", "end"))
        return [
            slot
            for slot in slots
            if slot.start not in past and not any(start < slot.end and end > slot.start for start, end in busy)
        ]

    def _slots(self, visit_type: VisitType) -> list[Slot]:
        if visit_type.pk not in self._of_type:
            zone, begin, end = zone_of(self.opening.practitioner.clinic), self.opening.begin, self.opening.end
            found = free_slots(
                practitioner=self.opening.practitioner,
                visit_type=visit_type,
                # What begins the day before may lie over midnight.
                first_day=max(begin, self.now).astimezone(zone).date() - timedelta(days=1),
                last_day=end.astimezone(zone).date(),
                now=self.now,
            )
            self._of_type[visit_type.pk] = [slot for slot in found if slot.start < end and slot.end > begin]
        return self._of_type[visit_type.pk]


def _offer(opening: Opening, entry: WaitlistEntry, slot: Slot, lasts: timedelta) -> bool:
    """Keep the slot for the patient and write to them; False when either cannot be had any more."""
    try:
        with transaction.atomic():
            return _write_offer(opening, entry, slot, lasts)
    except (booking.SlotTaken, booking.NotAvailable, IntegrityError):
        return False  # somebody was quicker: a colleague who books, or another worker


def _write_offer(opening: Opening, entry: WaitlistEntry, slot: Slot, lasts: timedelta) -> bool:
    visit = lock_visit(None, entry.appointment, ())
    fresh = WaitlistEntry.objects.filter(pk=entry.pk, ended_at=None).select_related("appointment__patient__clinic")
    still = fresh.first()
    if still is None or visit.status != Appointment.Status.BOOKED or not still.wish.fits(slot.start, visit.start):
        return False
    held = booking.hold(
        principal=None,
        practitioner=opening.practitioner,
        visit_type=visit.visit_type,
        start=slot.start,
        lasts=lasts,
    )
    offer = Offer.objects.create(
        entry=still,
        opening=opening,
        practitioner=opening.practitioner,
        start=slot.start,
        held=held.pk,
        until=held.expires_at,
        made_at=held.created_at,
    )
    reminders.offer(
        patient=visit.patient,
        practitioner=opening.practitioner,
        start=offer.start,
        until=offer.until,
        reference=str(offer.pk),
        appointment=visit,
    )
    record("waitlist.offer", Audit.CREATE, clinic=visit.clinic, entity=offer, patient=visit.patient)
    return True
