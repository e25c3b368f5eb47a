"""A ticket: one patient's place in the clinic's queue."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from visits.booking.models import Appointment


class Ticket(models.Model):
    """The place is kept from arrival on, whatever happens to the page or the phone."""

    appointment = models.OneToOneField(Appointment, models.CASCADE, primary_key=True, related_name="ticket")
    arrived_at = models.DateTimeField(_("arrived"), default=timezone.now)
    # The last sign of life of the patient's page; None when it said good-bye.
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    admitted_at = models.DateTimeField(_("admitted"), null=True, blank=True)
    admitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", null=True, blank=True)

    class Meta:
        ordering = ["arrived_at"]
        verbose_name = _("place in line")
        verbose_name_plural = _("places in line")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(admitted_at=None, admitted_by=None)
                | models.Q(admitted_at__isnull=False, admitted_by__isnull=False),
                name="ticket_admitted_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return str(self.appointment_id)
