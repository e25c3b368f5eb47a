"""A record that was opened in an emergency: "break the glass" (45 CFR 164.312(a)(2)(ii))."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.models.clinic import Clinic, Patient
from accounts.stamps import stamp

LASTS = timedelta(hours=1)


def in_an_hour() -> Any:
    return timezone.now() + LASTS


class EmergencyAccess(models.Model):
    """A clinician's access to the record of a patient whom they do not treat, for an hour at most.

    Nobody takes it back or changes it; somebody else than its holder says afterwards whether it was justified, once.
    """

    class Finding(models.TextChoices):
        OPEN = "", _("not reviewed")
        JUSTIFIED = "justified", _("justified")
        NOT_JUSTIFIED = "not-justified", _("not justified")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, verbose_name=_("clinic"), related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("who"), related_name="+")
    patient = models.ForeignKey(Patient, models.PROTECT, verbose_name=_("patient"), related_name="+")
    reason = EncryptedTextField(_("reason"), max_length=500)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    expires_at = models.DateTimeField(_("until"), default=in_an_hour)
    finding = models.CharField(_("review"), max_length=13, choices=Finding, blank=True, default=Finding.OPEN)
    note = EncryptedTextField(_("note of the review"), max_length=500, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("reviewed by"), related_name="+", null=True, blank=True
    )
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        verbose_name = _("access in an emergency")
        verbose_name_plural = _("access in emergencies")
        indexes = [models.Index(fields=["user", "patient", "expires_at"], name="emergency_by_holder")]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("opened_at")), name="emergency_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(finding="", reviewed_by=None, reviewed_at=None)
                | Q(finding__in=["justified", "not-justified"], reviewed_by__isnull=False, reviewed_at__isnull=False),
                name="emergency_reviewed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by=None) | ~Q(reviewed_by=F("user")), name="emergency_reviewed_by_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {stamp(self.opened_at)}"
