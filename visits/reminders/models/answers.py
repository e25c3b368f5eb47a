"""What patients answer to messages."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from visits.booking.models import Appointment
from visits.reminders.models.ledger import Communication


class Confirmation(models.Model):
    """The patient said that they will come, at this time: a visit that moves is to be confirmed again."""

    appointment = models.ForeignKey(Appointment, models.CASCADE, verbose_name=_("visit"), related_name="confirmations")
    revision = models.PositiveIntegerField(_("revision"))
    channel = models.CharField(_("channel"), max_length=8, choices=Communication.Channel)
    confirmed_at = models.DateTimeField(_("confirmed"), default=timezone.now)

    class Meta:
        ordering = ["-confirmed_at"]
        verbose_name = _("patient's confirmation")
        verbose_name_plural = _("patients' confirmations")
        constraints = [
            models.UniqueConstraint(fields=["appointment", "revision"], name="confirmation_once"),
            models.CheckConstraint(condition=models.Q(channel__in=["email", "sms"]), name="confirmation_channel_known"),
        ]

    def __str__(self) -> str:
        return str(self.appointment)


class InboundMessage(models.Model):
    """A text message that a provider told us of: kept so that the same one counts once. No words, no number."""

    provider_id = models.CharField(max_length=128, unique=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return self.provider_id
