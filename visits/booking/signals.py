"""What booking announces to the floors above, inside the transaction of the change.

``appointment_changed(sender=Appointment, appointment, change, principal, old_end)``: ``change`` is one of
"booked", "moved", "cancelled", "arrived", "fulfilled", "noshow"; ``principal`` is who did it, or None. Where a
moved visit was before is in its newest AppointmentChange, and until when in ``old_end``, else None.
"""

from django.dispatch import Signal

appointment_changed = Signal()
