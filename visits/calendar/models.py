"""CalendarFeed: a secret address at which a calendar program reads a clinician's or a patient's visits."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Clinic, Patient


class CalendarFeed(models.Model):
    """One person's feed in one clinic: a user's who takes visits, or a patient's.

    Only a keyed hash of its token is stored: the address is shown once.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("user"), related_name="calendar_feeds", null=True
    )
    patient = models.ForeignKey(
        Patient, models.CASCADE, verbose_name=_("patient"), related_name="calendar_feeds", null=True
    )
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="+")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("calendar feed")
        verbose_name_plural = _("calendar feeds")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "clinic"], condition=models.Q(revoked_at=None), name="calendar_feed_one_live"
            ),
            models.UniqueConstraint(
                fields=["patient"], condition=models.Q(revoked_at=None), name="calendar_feed_one_live_of_patient"
            ),
            models.CheckConstraint(
                condition=models.Q(user=None, patient__isnull=False) | models.Q(user__isnull=False, patient=None),
                name="calendar_feed_of_user_or_patient",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.patient}, {self.clinic}"

    @property
    def language(self) -> str:
        """The person's."""
        person = self.user or self.patient
        return person.language if person else ""
