"""Appointment: a booked visit (FHIR R4 Appointment), what became of it, and times kept for somebody who is booking."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.models import Clinic, Patient, Practitioner
from accounts.policy import Role
from accounts.stamps import stamp
from visits.schedule.models import VisitType


class AppointmentSeries(models.Model):
    """Visits that were booked together: ``count`` of them, ``weeks`` apart, at one time of the clinic's wall clock."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, verbose_name=_("clinic"), related_name="+")
    weeks = models.PositiveSmallIntegerField(_("weeks apart"), default=1)
    count = models.PositiveSmallIntegerField(_("how many"))
    created_at = models.DateTimeField(_("booked at"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("series of visits")
        verbose_name_plural = _("series of visits")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weeks__gte=1, weeks__lte=12, count__gte=2, count__lte=52), name="series_sane"
            )
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.weeks}"


class Appointment(models.Model):
    """One booked visit.

    Two active visits of one practitioner, with what is kept free around them, or of one patient, never overlap, and
    no visit lies on a time that is held: the database refuses it by an exclusion constraint (PostgreSQL) or triggers;
    see the migrations.
    """

    class Origin(models.TextChoices):
        STAFF = "staff", _("Booked by staff")
        ONLINE = "online", _("Booked online")
        WALK_IN = "walk-in", _("Came without an appointment")

    class Status(models.TextChoices):
        BOOKED = "booked", _("Booked")
        ARRIVED = "arrived", _("Arrived")
        FULFILLED = "fulfilled", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")
        NOSHOW = "noshow", _("No-show")

    # Only these take up the clinician's and the patient's time.
    ACTIVE = (Status.BOOKED, Status.ARRIVED, Status.FULFILLED)
    # After its end: a clinician may be late by hours, but a visit that nobody closed does not hold up tomorrow's line.
    LINE_CLOSES_AFTER = timedelta(hours=4)

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
    # With what is kept free before and after: ``save`` sets both.
    busy_start = models.DateTimeField(editable=False)
    busy_end = models.DateTimeField(editable=False)
    mode = models.CharField(
        _("takes place by"), max_length=5, choices=VisitType.Mode, default=VisitType.Mode.VIDEO, editable=False
    )
    origin = models.CharField(_("origin"), max_length=8, choices=Origin, default=Origin.STAFF, editable=False)
    series = models.ForeignKey(
        AppointmentSeries,
        models.PROTECT,
        verbose_name=_("series"),
        related_name="appointments",
        null=True,
        editable=False,
    )
    follow_up_of = models.ForeignKey(
        "self", models.PROTECT, verbose_name=_("follows"), related_name="follow_ups", null=True, editable=False
    )
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.BOOKED)
    # Grows with each change that people are told about: iCalendar SEQUENCE and the ledger's revision.
    revision = models.PositiveIntegerField(_("revision"), default=0)
    cancelation_reason = EncryptedTextField(_("why cancelled"), max_length=200, blank=True)
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
                condition=models.Q(busy_start__lte=models.F("start"), busy_end__gte=models.F("end")),
                name="appointment_busy_while_it_lasts",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["booked", "arrived", "fulfilled", "cancelled", "noshow"]),
                name="appointment_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{stamp(self.start)}, {self.practitioner}"

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is None or {"start", "end"} & set(update_fields):
            self.busy_start, self.busy_end = busy(self.visit_type, self.start, self.end)
            update_fields = update_fields and {*update_fields, "busy_start", "busy_end"}
        super().save(*args, update_fields=update_fields, **kwargs)

    @property
    def minutes(self) -> int:
        return int((self.end - self.start).total_seconds() // 60)

    @property
    def line_closes_at(self) -> datetime:
        """Until when the patient can still come, and be let in."""
        return self.end + self.LINE_CLOSES_AFTER

    @property
    def is_open(self) -> bool:
        """Whether the visit can still take place."""
        return self.status in {self.Status.BOOKED, self.Status.ARRIVED}

    def may_become(self, status: "Appointment.Status") -> bool:
        return status in self.TRANSITIONS[self.Status(self.status)]


class AppointmentChange(models.Model):
    """What happened to a visit, when, by whom: its history, which only grows."""

    class Change(models.TextChoices):
        BOOKED = "booked", _("Booked")
        MOVED = "moved", _("Moved")
        CANCELLED = "cancelled", _("Cancelled")
        ARRIVED = "arrived", _("Arrived")
        FULFILLED = "fulfilled", _("Finished")
        NOSHOW = "noshow", _("Missed")

    appointment = models.ForeignKey(Appointment, models.CASCADE, verbose_name=_("visit"), related_name="changes")
    change = models.CharField(_("change"), max_length=9, choices=Change)
    at = models.DateTimeField(_("at"), default=timezone.now)
    # Nobody: the system itself. A person with a link has a role and no user.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("by"), related_name="+", null=True)
    role = models.CharField(_("role"), max_length=16, blank=True)
    revision = models.PositiveIntegerField(_("revision"))
    start = models.DateTimeField(_("start"))
    practitioner = models.ForeignKey(Practitioner, models.PROTECT, verbose_name=_("clinician"), related_name="+")
    # Of a visit that was moved: where it was before.
    old_start = models.DateTimeField(_("start before"), null=True)
    old_practitioner = models.ForeignKey(
        Practitioner, models.PROTECT, verbose_name=_("clinician before"), related_name="+", null=True
    )
    reason = EncryptedTextField(_("why"), max_length=200, bound_to="appointment_id", blank=True)

    class Meta:
        ordering = ["at", "pk"]
        verbose_name = _("change of a visit")
        verbose_name_plural = _("changes of visits")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(change="moved", old_start__isnull=False, old_practitioner__isnull=False)
                | ~models.Q(change="moved") & models.Q(old_start=None, old_practitioner=None),
                name="change_moved_from_somewhere",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_change_display()} {stamp(self.at)}"

    @property
    def role_label(self) -> str:
        return Role(self.role).label if self.role else ""


class Hold(models.Model):
    """A time kept for somebody who is booking it (FHIR R4 Slot, busy-tentative), until it expires.

    The database refuses one over an active visit of the practitioner or over another hold, and a visit over one. It
    knows no clock: who books deletes holds that have expired, and until then they stand for nothing.
    """

    LASTS = timedelta(minutes=5)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="holds")
    practitioner = models.ForeignKey(Practitioner, models.CASCADE, verbose_name=_("clinician"), related_name="holds")
    visit_type = models.ForeignKey(VisitType, models.CASCADE, verbose_name=_("visit type"), related_name="+")
    start = models.DateTimeField(_("start"))
    end = models.DateTimeField(_("end"))
    busy_start = models.DateTimeField(editable=False)
    busy_end = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(_("held until"))
    # A member of staff who is booking; nobody for a patient, who holds it by knowing its id.
    held_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("held by"), related_name="+", null=True, blank=True
    )
    # Of a patient who books online: a keyed hash of the network that asked, so that none keeps many times at once.
    # Null: SQLite adds such a column without making the table anew, which the triggers on visits do not let it.
    caller = models.CharField(max_length=64, null=True, editable=False)  # noqa: DJ001
    created_at = models.DateTimeField(_("held since"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["start"]
        verbose_name = _("held time")
        verbose_name_plural = _("held times")
        indexes = [models.Index(fields=["practitioner", "busy_start"], name="hold_by_practitioner")]
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gt=models.F("start")), name="hold_ends_after_start"),
            models.CheckConstraint(
                condition=models.Q(busy_start__lte=models.F("start"), busy_end__gte=models.F("end")),
                name="hold_busy_while_it_lasts",
            ),
        ]

    def __str__(self) -> str:
        return f"{stamp(self.start)}, {self.practitioner}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.busy_start, self.busy_end = busy(self.visit_type, self.start, self.end)
        super().save(*args, **kwargs)

    def is_live(self, now: datetime | None = None) -> bool:
        return self.expires_at > (now or timezone.now())


def busy(visit_type: VisitType, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """From when to when a visit takes its clinician's time, with what is kept free around it."""
    return start - timedelta(minutes=visit_type.buffer_before), end + timedelta(minutes=visit_type.buffer_after)
