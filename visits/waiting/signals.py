"""What the waiting room announces to the floors above, inside the transaction of the change.

``admitted(sender=Ticket, appointment, principal)``: a patient was let in.
"""

from django.dispatch import Signal

admitted = Signal()
