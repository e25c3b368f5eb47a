"""Verification: a code was sent to an address, and who types it reads that address."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.models import Clinic


class Verification(models.Model):
    """One code for one address: good once, until ``expires_at``, for ``MAX_FAILURES`` wrong tries.

    Only a keyed hash of the code is stored. Rows are removed when they can prove nothing any more.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("Text message")

    MAX_FAILURES = 5

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="+")
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    # As messages are sent to it: phone numbers in E.164.
    address = EncryptedTextField(_("sent to"), max_length=254)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES)
    # Empty until a worker has made the code.
    code_hash = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    failures = models.PositiveSmallIntegerField(_("wrong codes"), default=0)
    used_at = models.DateTimeField(_("used"), null=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        constraints = [
            models.CheckConstraint(condition=models.Q(failures__lte=5), name="verification_few_tries"),
            models.CheckConstraint(condition=models.Q(channel__in=["email", "sms"]), name="verification_channel_known"),
            models.CheckConstraint(
                condition=models.Q(used_at=None) | ~models.Q(code_hash=""), name="verification_used_had_a_code"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.pk}"

    def is_live(self, now: datetime | None = None) -> bool:
        """Whether its code can still prove anything."""
        return self.used_at is None and self.failures < self.MAX_FAILURES and self.expires_at > (now or timezone.now())
