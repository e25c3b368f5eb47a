"""What a patient wants to have by one channel, and whether their address there works."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.models import Patient, RelatedPerson
from visits.reminders.models.ledger import Communication


class ContactPreference(models.Model):
    """Nobody who has no row has opted out. Who acts for a patient has rows of their own."""

    patient = models.ForeignKey(Patient, models.CASCADE, verbose_name=_("patient"), related_name="contact_preferences")
    related_person = models.ForeignKey(
        RelatedPerson,
        models.CASCADE,
        verbose_name=_("acts for the patient"),
        related_name="contact_preferences",
        null=True,
        blank=True,
    )
    channel = models.CharField(_("channel"), max_length=8, choices=Communication.Channel)
    opted_out_at = models.DateTimeField(_("does not want it since"), null=True, blank=True)
    bounced_at = models.DateTimeField(_("does not work since"), null=True, blank=True)
    # The mark is the address's: a new one of the same patient has none.
    bounced_address = EncryptedTextField(
        _("address that does not work"), max_length=254, bound_to="patient_id", blank=True
    )

    class Meta:
        ordering = ["patient", "channel"]
        verbose_name = _("contact preference")
        verbose_name_plural = _("contact preferences")
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "channel"],
                condition=models.Q(related_person=None),
                name="contact_preference_once",
            ),
            models.UniqueConstraint(
                fields=["related_person", "channel"],
                condition=models.Q(related_person__isnull=False),
                name="contact_preference_once_of_each",
            ),
            models.CheckConstraint(condition=models.Q(channel__in=["email", "sms"]), name="contact_channel_known"),
            models.CheckConstraint(
                condition=models.Q(bounced_at=None, bounced_address="")
                | models.Q(bounced_at__isnull=False) & ~models.Q(bounced_address=""),
                name="contact_bounce_has_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.related_person or self.patient}, {self.get_channel_display()}"
