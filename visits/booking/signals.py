"""What booking announces to the floors above, inside the transaction of the change.

``appointment_changed(sender=Appointment, appointment, change, principal)``: ``change`` is one of
"booked", "cancelled", "arrived", "fulfilled", "noshow"; ``principal`` is who did it, or None.
"""

from django.dispatch import Signal

appointment_changed = Signal()
