"""A patient's place in the clinic's queue, and how late a clinician is."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Practitioner
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
        return str(self.appointment)

    def is_here(self, now: datetime | None = None) -> bool:
        """Whether the patient's page is open, as far as its last sign of life tells."""
        return self.seen_at is not None and (now or timezone.now()) - self.seen_at <= self.HERE_FOR


class Delay(models.Model):
    """By how many minutes a clinician is late on one day of the clinic's calendar; 0: on time again."""

    STEPS = (5, 10, 15, 20, 30)

    practitioner = models.ForeignKey(Practitioner, models.CASCADE, verbose_name=_("clinician"), related_name="delays")
    day = models.DateField(_("day"))
    minutes = models.PositiveSmallIntegerField(_("minutes late"), default=0)
    # Grows with each change: what patients were told of.
    serial = models.PositiveSmallIntegerField(_("change"), default=0)
    # From which visit on it is counted: what comes first when it is said.
    since = models.DateTimeField(_("counted from"), null=True, editable=False)
    changed_at = models.DateTimeField(_("said at"), default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("said by"), related_name="+", null=True
    )

    class Meta:
        ordering = ["-day", "practitioner__name"]
        verbose_name = _("delay")
        verbose_name_plural = _("delays")
        constraints = [
            models.UniqueConstraint(fields=["practitioner", "day"], name="delay_once_a_day"),
            models.CheckConstraint(condition=models.Q(minutes__in=[0, 5, 10, 15, 20, 30]), name="delay_by_steps"),
        ]

    def __str__(self) -> str:
        return f"{self.practitioner}, {self.day}, {self.minutes} min"


class DelayedVisit(models.Model):
    """A visit that was moved because of a delay, and by how much: of the delay so much is in its new time."""

    delay = models.ForeignKey(Delay, models.CASCADE, verbose_name=_("delay"), related_name="moved")
    appointment = models.ForeignKey(Appointment, models.CASCADE, verbose_name=_("visit"), related_name="+")
    minutes = models.PositiveSmallIntegerField(_("moved by minutes"))

    class Meta:
        verbose_name = _("visit that was moved for a delay")
        verbose_name_plural = _("visits that were moved for a delay")
        constraints = [models.UniqueConstraint(fields=["delay", "appointment"], name="delayed_visit_once")]

    def __str__(self) -> str:
        return f"{self.appointment}, {self.minutes} min"
