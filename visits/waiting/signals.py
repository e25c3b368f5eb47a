"""What the waiting room announces to the floors above, inside the transaction of the change.

``admitted(sender=Ticket, appointment, principal)``: a patient was let in.
``giving_up(sender=Ticket, appointment)``: a patient who was let in is about to be marked as missed; who knows that they
came all the same raises ``visits.booking.errors.WrongState``.
"""

from django.dispatch import Signal

admitted = Signal()
giving_up = Signal()
