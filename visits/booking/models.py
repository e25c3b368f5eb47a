"""Appointment: a booked visit (FHIR R4 Appointment)."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic, Patient, Practitioner
from visits.schedule.models import VisitType


class Appointment(models.Model):
    """One booked visit.

    Two active visits of one practitioner, or of one patient, never overlap: the database refuses
    it by an exclusion constraint (PostgreSQL) or triggers (SQLite); see the migrations.
    """

    class Status(models.TextChoices):
        BOOKED = "booked", _("Booked")
        ARRIVED = "arrived", _("Arrived")
        FULFILLED = "fulfilled", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")
        NOSHOW = "noshow", _("No-show")

    # Only these take up the clinician's and the patient's time.
    ACTIVE = (Status.BOOKED, Status.ARRIVED, Status.FULFILLED)

    TRANSITIONS = {
        Status.BOOKED: {Status.ARRIVED, Status.CANCELLED, Status.NOSHOW},
        Status.ARRIVED: {Status.FULFILLED, Status.CANCELLED, Status.NOSHOW},
        Status.NOSHOW: {Status.ARRIVED},
        Status.FULFILLED: set(),
        Status.CANCELLED: set(),
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, verbose_name=_("clinic"), related_name="appointments")
    practitioner = models.ForeignKey(
        Practitioner, models.PROTECT, verbose_name=_("clinician"), related_name="appointments"
    )
    patient = models.ForeignKey(Patient, models.PROTECT, verbose_name=_("patient"), related_name="appointments")
    visit_type = models.ForeignKey(VisitType, models.PROTECT, verbose_name=_("visit type"), related_name="+")
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.BOOKED)
    # Grows with each change that people are told about: iCalendar SEQUENCE and the ledger's revision.
    revision = models.PositiveIntegerField(_("revision"), default=0)
    cancelation_reason = models.CharField(_("why cancelled"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("booked at"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("booked by"),
        related_name="+",
        null=True,
        editable=False,
    )

    class Meta:
        ordering = ["start"]
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        indexes = [
            models.Index(fields=["clinic", "start"], name="appointment_by_day"),
            models.Index(fields=["practitioner", "start"], name="appointment_by_practitioner"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="appointment_ends_after_start"),
            models.CheckConstraint(
                condition=models.Q(status__in=["booked", "arrived", "fulfilled", "cancelled", "noshow"]),
                name="appointment_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} UTC, {self.practitioner}"

    @property
    def minutes(self) -> int:
        return int((self.end - self.start).total_seconds() // 60)

    @property
    def is_open(self) -> bool:
        """Whether the visit can still take place."""
        return self.status in {self.Status.BOOKED, self.Status.ARRIVED}

    def may_become(self, status: "Appointment.Status") -> bool:
        return status in self.TRANSITIONS[self.Status(self.status)]
