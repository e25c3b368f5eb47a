"""The end of an offer. Whoever brings it about holds the lock of its visit's row: the first one counts."""

from django.utils import timezone

from visits.booking import services as booking
from visits.booking.models import Appointment, Hold
from visits.booking.services.locks import lock_visit
from visits.reminders import services as reminders
from visits.waitlist.models import Offer

OFFERS = Offer.objects.select_related("entry", "practitioner")


def lock(offer: Offer) -> tuple[Appointment, Offer]:
    """The visit that the offer is made to, locked, and the offer as it is then."""
    visit = lock_visit(None, offer.entry.appointment, ())
    return visit, OFFERS.get(pk=offer.pk)


def close_offer(offer: Offer, state: Offer.State) -> None:
    """Note the end of an open offer and call its message off; unless it is accepted, its time is free again."""
    offer.state, offer.closed_at = state, timezone.now()
    offer.save(update_fields=["state", "closed_at"])
    reminders.call_off_offer(reference=str(offer.pk))
    if state != Offer.State.ACCEPTED:
        booking.release(Hold(pk=offer.held))
