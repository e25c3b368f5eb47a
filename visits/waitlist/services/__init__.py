"""What patients and staff do on the waitlist, and the tick that offers on."""

from visits.waitlist.services.answering import OfferClosed, accept, decline
from visits.waitlist.services.entries import NotPossible, active_entry, ask, leave
from visits.waitlist.services.offering import tick

__all__ = ["NotPossible", "OfferClosed", "accept", "active_entry", "ask", "decline", "leave", "tick"]
