"""Coming onto the waitlist, and off it again."""

from datetime import date

from django.db import transaction
from django.utils import timezone

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.waitlist.fitting import Part
from visits.waitlist.models import Offer, WaitlistEntry
from visits.waitlist.services.closing import close_offer

End = WaitlistEntry.End


class NotPossible(Exception):
    """The visit is not to come any more, so nothing can be earlier."""


def active_entry(visit: Appointment) -> WaitlistEntry | None:
    """The visit's place on the list, if it has one."""
    entries = WaitlistEntry.objects.select_related("appointment__patient__clinic", "appointment__practitioner")
    return entries.filter(appointment=visit, ended_at=None).first()


def ask(
    *,
    principal: Principal,
    visit: Appointment,
    anyone: bool,
    weekdays: list[int],
    parts: list[Part],
    last_day: date,
) -> WaitlistEntry:
    """Put the visit on the list, or change what is wanted instead of it: that keeps the place.

    ``last_day`` is of the patient's calendar. Raises NotPossible, and Http404 for who may not.
    """
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, right_of(principal), lock=True)
        if visit.status != Appointment.Status.BOOKED or visit.start <= timezone.now():
            raise NotPossible
        wanted = {
            "anyone": anyone,
            "weekdays": "".join(str(day) for day in sorted(set(weekdays))),
            **{part.value: part in parts for part in Part},
            "last_day": last_day,
        }
        entry, is_new = WaitlistEntry.objects.update_or_create(
            appointment=visit, ended_at=None, defaults=wanted, create_defaults=wanted | {"created_by": principal.user}
        )
        record(
            "waitlist.ask",
            Audit.CREATE if is_new else Audit.UPDATE,
            principal=principal,
            entity=entry,
            patient=visit.patient,
        )
        return entry


def leave(*, principal: Principal, visit: Appointment) -> None:
    """Take the visit off the list; what is being offered to it goes to the next. Raises Http404 for who may not."""
    with transaction.atomic():
        visit = appointment_for(principal, visit.pk, right_of(principal), lock=True)
        if end(visit, End.LEFT):
            record("waitlist.leave", Audit.UPDATE, principal=principal, entity=visit, patient=visit.patient)


def end(visit: Appointment, why: WaitlistEntry.End) -> bool:
    """End the visit's place on the list, and what is being offered to it. Under the lock of the visit's row."""
    entry = active_entry(visit)
    if entry is None:
        return False
    withdraw_offers(visit)
    WaitlistEntry.objects.filter(pk=entry.pk).update(ended_at=timezone.now(), end=why)
    return True


def withdraw_offers(visit: Appointment) -> None:
    """Nothing is offered to the visit any more. Under the lock of the visit's row."""
    for offer in Offer.objects.filter(entry__appointment=visit, state=Offer.State.OPEN):
        close_offer(offer, Offer.State.WITHDRAWN)


def right_of(principal: Principal) -> Action:
    """By which right this person asks: staff for every visit, patients for their own."""
    return Action.VISIT_CHANGE if principal.may(Action.VISIT_CHANGE) else Action.VISIT_CHANGE_OWN
