"""Verification: a code was sent to an address, and who types it reads that address."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.models import Clinic
from accounts.models.one_time_code import OneTimeCode


class Verification(OneTimeCode):
    """One code for one address. Rows are removed when they can prove nothing any more."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("Text message")

    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="+")
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    # As messages are sent to it: phone numbers in E.164.
    address = EncryptedTextField(_("sent to"), max_length=254)

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
