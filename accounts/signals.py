"""What accounts announces to the apps above it."""

from django.dispatch import Signal

# A clinic was made (inside the transaction): clinic=Clinic. For what a clinic needs from the start.
clinic_created = Signal()
