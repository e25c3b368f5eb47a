"""A ticket: one patient's place in the clinic's queue."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from visits.booking.models import Appointment


class Ticket(models.Model):
    """The place is kept from arrival on, whatever happens to the page or the phone."""

    # An open page gives a sign of life this often, and counts as here for this long after the last one.
    SIGN_EVERY = timedelta(seconds=15)
    HERE_FOR = timedelta(seconds=45)

    appointment = models.OneToOneField(
        Appointment, models.CASCADE, verbose_name=_("visit"), primary_key=True, related_name="ticket"
    )
    arrived_at = models.DateTimeField(_("arrived"), default=timezone.now)
    # The last sign of life of the patient's page; None when it said good-bye.
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    admitted_at = models.DateTimeField(_("admitted"), null=True, blank=True)
    admitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("admitted by"), related_name="+", null=True, blank=True
    )
    # Called in, the patient asked for a moment.
    moment_at = models.DateTimeField(_("asked for a moment"), null=True, blank=True)
    # How long visits take tells the next ones how long they may wait.
    finished_at = models.DateTimeField(_("visit ended"), null=True, blank=True)

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

    def is_here(self, now: datetime | None = None) -> bool:
        """Whether the patient's page is open, as far as its last sign of life tells."""
        return self.seen_at is not None and (now or timezone.now()) - self.seen_at <= self.HERE_FOR
