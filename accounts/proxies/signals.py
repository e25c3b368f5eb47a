"""What happens to grants, for the floors above: messages are planned, seats taken away."""

from django.dispatch import Signal

# Sent in the transaction of the change, with ``person``: the grant as it is now, and ``before``: as it was,
# None of a new one.
grant_changed = Signal()
