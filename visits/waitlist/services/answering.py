"""What a patient answers to an offer."""

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.policy import Role
from visits.booking import services as booking
from visits.booking.models import Appointment, Hold
from visits.waitlist.models import Offer, WaitlistEntry
from visits.waitlist.services import entries
from visits.waitlist.services.closing import close_offer, lock

State = Offer.State


class OfferClosed(Exception):
    """The offer is not open any more: answered, run out, withdrawn, or its time cannot be had after all."""


def accept(offer: Offer) -> Appointment:
    """Move the visit to the offered time. Accepted before, it is theirs already, and nothing changes.

    The clinic's notice does not bind: the clinic offered the time. Raises OfferClosed.
    """
    try:
        with transaction.atomic():
            return _accept(offer)
    except booking.BookingError as refusal:
        with transaction.atomic():
            _visit, offer = lock(offer)
            if offer.state == State.OPEN:
                close_offer(offer, State.WITHDRAWN)
        raise OfferClosed from refusal


def _accept(offer: Offer) -> Appointment:
    visit, offer = lock(offer)
    if offer.state == State.ACCEPTED:
        return visit
    if not offer.is_open(timezone.now()):
        raise OfferClosed
    # First, so that the move is not taken for somebody else's.
    close_offer(offer, State.ACCEPTED)
    entries.end(visit, WaitlistEntry.End.TAKEN)
    _audit(offer, visit, "accept")
    with translation.override(visit.clinic.language):
        reason = _("The patient accepted an earlier time from the waitlist.")
    return booking.move(
        principal=None,
        visit=visit,
        start=offer.start,
        practitioner=offer.practitioner,
        hold=Hold.objects.filter(pk=offer.held).first(),
        reason=reason,
        role=Role.PATIENT,
    )


def decline(offer: Offer, *, leave: bool = False) -> None:
    """Leave the time to the next; with ``leave`` come off the list, too. Declining twice changes nothing.

    Raises OfferClosed.
    """
    with transaction.atomic():
        visit, offer = lock(offer)
        if offer.state == State.DECLINED and not leave:
            return
        if offer.state not in {State.OPEN, State.DECLINED}:
            raise OfferClosed
        if offer.state == State.OPEN:
            close_offer(offer, State.DECLINED)
            _audit(offer, visit, "decline")
        if leave and entries.end(visit, WaitlistEntry.End.LEFT):
            record("waitlist.leave", Audit.UPDATE, clinic=visit.clinic, entity=visit, patient=visit.patient)


def _audit(offer: Offer, visit: Appointment, answer: str) -> None:
    record(
        "waitlist.answer",
        Audit.UPDATE,
        clinic=visit.clinic,
        entity=offer,
        patient=visit.patient,
        detail={"answer": answer},
    )
