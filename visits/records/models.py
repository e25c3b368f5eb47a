"""Copies of records that are made or wait to be fetched, orders to keep a record, and how long a clinic keeps what."""

import uuid

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.keys.fields import EncryptedTextField
from accounts.models import Clinic, Patient
from accounts.stamps import stamp
from visits.records.policies import POLICIES, Subject, not_below_floors

MEBIBYTE = 1024 * 1024


class RecordCopy(models.Model):
    """A copy of a patient's whole record: wished for, made, fetched once. Its file is in ``content`` only meanwhile."""

    class State(models.TextChoices):
        """ASKED -> WAITING -> MAKING -> READY -> TAKEN | GONE; ASKED -> DECLINED; MAKING -> FAILED."""

        ASKED = "asked", _("The patient asks for it")
        DECLINED = "declined", _("Declined")
        WAITING = "waiting", _("Waits to be made")
        MAKING = "making", _("Being made")
        READY = "ready", _("Ready")
        TAKEN = "taken", _("Downloaded")
        GONE = "gone", _("Not downloaded in time")
        FAILED = "failed", _("Could not be made")

    UNDER_WAY = (State.ASKED, State.WAITING, State.MAKING, State.READY)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, verbose_name=_("patient"), related_name="record_copies")
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    reason = EncryptedTextField(_("why it is made"), max_length=200, blank=True)
    asked_at = models.DateTimeField(_("asked for"), default=timezone.now)
    # Nobody: the patient, or who may read for them.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("asked for by"), related_name="+", null=True
    )
    # Who had it made.
    made_for = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("made for"), related_name="+", null=True
    )
    claimed_at = models.DateTimeField(_("begun"), null=True)
    done = models.PositiveSmallIntegerField(_("percent"), default=0)
    made_at = models.DateTimeField(_("made"), null=True)
    expires_at = models.DateTimeField(_("to be fetched until"), null=True)
    closed_at = models.DateTimeField(_("closed"), null=True)
    # A ZIP file in base64.
    content = EncryptedTextField(max_length=96 * MEBIBYTE, blank=True, editable=False)

    class Meta:
        ordering = ["-asked_at"]
        verbose_name = _("copy of a record")
        verbose_name_plural = _("copies of records")
        indexes = [models.Index(fields=["state", "asked_at"], name="record_copy_by_state")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="ready", expires_at__isnull=False) & ~models.Q(content="")
                | ~models.Q(state="ready") & models.Q(content=""),
                name="record_copy_has_content_while_ready",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["asked", "declined"]) | models.Q(made_for__isnull=False),
                name="record_copy_made_for_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{stamp(self.asked_at)}, {self.get_state_display()}"


class LegalHold(models.Model):
    """An order that nothing of a patient's record is erased, until a person ends it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.PROTECT, verbose_name=_("patient"), related_name="legal_holds")
    reason = EncryptedTextField(_("why"), max_length=200)
    placed_at = models.DateTimeField(_("since"), default=timezone.now)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("ordered by"), related_name="+"
    )
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("ended by"), related_name="+", null=True
    )

    class Meta:
        ordering = ["-placed_at"]
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        indexes = [
            models.Index(fields=["patient"], condition=models.Q(ended_at=None), name="legal_hold_in_force"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ended_at=None, ended_by=None)
                | models.Q(ended_at__isnull=False, ended_by__isnull=False),
                name="legal_hold_ended_by_somebody",
            )
        ]

    def __str__(self) -> str:
        return stamp(self.placed_at)


class RetentionRule(models.Model):
    """How long a clinic keeps one kind of thing, where that is not the usual (``policies.POLICIES``)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="retention_rules")
    subject = models.CharField(_("what"), max_length=16, choices=Subject)
    days = models.PositiveIntegerField(_("days"), help_text=_("2192 days are six years."))

    class Meta:
        ordering = ["clinic", "subject"]
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "subject"], name="retention_rule_once"),
            models.CheckConstraint(condition=not_below_floors(), name="retention_rule_not_below_floor"),
        ]

    def __str__(self) -> str:
        return f"{self.get_subject_display()}, {self.days}"

    def clean(self) -> None:
        """Raises ValidationError for what would go sooner than it may."""
        policy = POLICIES.get(Subject(self.subject)) if self.subject in Subject.values else None
        if policy is not None and self.days is not None and self.days < policy.floor:
            words = ngettext("At least %(days)d day.", "At least %(days)d days.", policy.floor)
            raise ValidationError({"days": words % {"days": policy.floor}})

    @classmethod
    def days_of(cls, clinic: Clinic, subject: Subject) -> int:
        """After how many days the clinic lets a thing go: by its own rule, or as usual."""
        own = cls.objects.filter(clinic=clinic, subject=subject).values_list("days", flat=True).first()
        return POLICIES[subject].days if own is None else own
