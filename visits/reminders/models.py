"""The ledger: one row per message to be (FHIR R4 Communication), so that each can be explained."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from visits.booking.models import Appointment


class Communication(models.Model):
    class Kind(models.TextChoices):
        CONFIRMATION = "confirmation", _("Confirmation")
        REMINDER_DAY = "reminder-day", _("Reminder, 1 day before")
        REMINDER_SOON = "reminder-soon", _("Reminder, 10 minutes before")
        CANCELLATION = "cancellation", _("Cancellation")

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")

    class State(models.TextChoices):
        PLANNED = "planned", _("Planned")
        CLAIMED = "claimed", _("Being sent")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SUPPRESSED = "suppressed", _("Not sent")

    class Reason(models.TextChoices):
        NONE = "", "—"
        CANCELLED = "cancelled", _("The visit was cancelled")
        SUPERSEDED = "superseded", _("The visit changed")
        NO_ADDRESS = "no-address", _("No e-mail address on file")
        TOO_LATE = "too-late", _("Too late to help")
        OVER = "over", _("The visit has begun or is over")
        REFUSED = "refused", _("The mail server refused it")
        UNREACHABLE = "unreachable", _("The mail server did not answer")
        INTERRUPTED = "interrupted", _("Sending broke off twice")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.ForeignKey(Appointment, models.CASCADE, verbose_name=_("visit"), related_name="communications")
    revision = models.PositiveIntegerField(_("revision"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel, default=Channel.EMAIL)
    # Counts repeats that staff asked for ("send again"); 0 for what was planned by itself.
    serial = models.PositiveSmallIntegerField(_("repeat"), default=0)
    due_at = models.DateTimeField(_("due"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNED)
    reason = models.CharField(_("why not"), max_length=12, choices=Reason, blank=True, default=Reason.NONE)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    # A worker died over it once, so it may have gone out; a second time is not risked.
    was_abandoned = models.BooleanField(_("broke off once"), default=False)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    planned_at = models.DateTimeField(_("planned"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["-due_at"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [models.Index(fields=["state", "due_at"], name="communication_due")]
        constraints = [
            models.UniqueConstraint(
                fields=["appointment", "revision", "kind", "channel", "serial"], name="communication_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state="sent", sent_at__isnull=False)
                | ~models.Q(state="sent") & models.Q(sent_at=None),
                name="communication_sent_has_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["suppressed", "failed"]) | ~models.Q(reason=""),
                name="communication_not_sent_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_state_display()}"
