"""The ledger: one row per message to be (FHIR R4 Communication), so that each can be explained."""

import uuid
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.contact import normal_email
from accounts.keys.fields import EncryptedTextField, KeyedHashField, Searchable
from accounts.models import Patient, RelatedPerson
from visits.booking.models import Appointment


def _address_of(message: Any) -> str:
    return normal_email(message.address)


class Communication(Searchable):
    class Kind(models.TextChoices):
        CONFIRMATION = "confirmation", _("Confirmation")
        RESCHEDULE = "reschedule", _("New time")
        CANCELLATION = "cancellation", _("Cancellation")
        REMINDER = "reminder", _("Reminder")
        FORM_MISSING = "form-missing", _("Questions still open")
        CLINICIAN_WAITING = "clinician-waiting", _("The clinician is waiting")
        RUNNING_LATE = "running-late", _("Running late")
        OFFER = "offer", _("Offer of an earlier time")
        SUMMARY = "summary", _("Summary is ready")
        MISSED = "missed", _("Missed visit")
        GRANT = "grant", _("Who acts for the patient")

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("Text message")

    class State(models.TextChoices):
        """PLANNED -> CLAIMED -> SENT | FAILED | SUPPRESSED | UNKNOWN, or back to PLANNED for another try."""

        PLANNED = "planned", _("Planned")
        CLAIMED = "claimed", _("Being sent")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        SUPPRESSED = "suppressed", _("Not sent")
        # It may have gone out: a person decides, nothing is sent again by itself.
        UNKNOWN = "unknown", _("Perhaps sent")

    class Reason(models.TextChoices):
        NONE = "", "—"
        CANCELLED = "cancelled", _("The visit was cancelled")
        SUPERSEDED = "superseded", _("The visit changed")
        NO_ADDRESS = "no-address", _("No address on file")
        OPTED_OUT = "opted-out", _("The patient does not want it")
        BOUNCED = "bounced", _("The address does not work")
        QUIET = "quiet-hours", _("Quiet hours")
        NOT_NEEDED = "not-needed", _("No longer needed")
        TOO_LATE = "too-late", _("Too late to help")
        OVER = "over", _("The visit has begun or is over")
        REFUSED = "refused", _("The provider refused it")
        UNREACHABLE = "unreachable", _("The provider did not answer")
        NO_ANSWER = "no-answer", _("The provider's answer never came")
        INTERRUPTED = "interrupted", _("Sending broke off")
        TO_PROXY = "to-proxy", _("It goes to who acts for the patient")
        NOT_PROXY = "not-proxy", _("This person does not act for the patient in this")
        IN_SERIES = "in-series", _("It is in the message about the whole series")
        CHANNEL_OFF = "channel-off", _("The clinic does not use this channel")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Nobody's visit: an offer to a patient who has none yet; who acts for them.
    appointment = models.ForeignKey(
        Appointment, models.CASCADE, verbose_name=_("visit"), related_name="communications", null=True
    )
    patient = models.ForeignKey(Patient, models.CASCADE, verbose_name=_("patient"), related_name="communications")
    # To whom it goes instead of the patient: who acts for them.
    related_person = models.ForeignKey(
        RelatedPerson,
        models.CASCADE,
        verbose_name=_("acts for the patient"),
        related_name="communications",
        null=True,
        blank=True,
    )
    revision = models.PositiveIntegerField(_("revision"), default=0)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    # Of a reminder: how many minutes before the visit.
    lead = models.PositiveIntegerField(_("minutes before"), default=0)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel, default=Channel.EMAIL)
    # Counts repeats: what staff sent again, what was announced again; 0 for what was planned by itself.
    serial = models.PositiveSmallIntegerField(_("repeat"), default=0)
    # What it tells of, in the words of who asked for it: the same thing is announced once.
    reference = models.CharField(max_length=64, blank=True, editable=False)
    # What a message needs besides its visit: minutes of delay, the old time, the time that is offered; which
    # other visits of its series it named; how the visit was when this was planned, or the grant. No names of people.
    details = models.JSONField(default=dict, blank=True, editable=False)
    # The start of the visit when this was planned: what the patient was told.
    start = models.DateTimeField(_("visit at"), null=True, editable=False)
    due_at = models.DateTimeField(_("due"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNED)
    reason = models.CharField(_("why not"), max_length=12, choices=Reason, blank=True, default=Reason.NONE)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    # Tries that ended without a word, a worker's death among them, before the provider could have it.
    broken_off = models.PositiveSmallIntegerField(_("broken off"), default=0)
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)
    # From here on the provider may have it.
    dispatched_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    address = EncryptedTextField(_("sent to"), max_length=254, blank=True)
    address_hash = KeyedHashField(source="address", normal=_address_of)
    provider_id = models.CharField(_("provider's id"), max_length=128, blank=True)
    planned_at = models.DateTimeField(_("planned"), default=timezone.now, editable=False)

    class Meta:
        ordering = ["-due_at"]
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(fields=["state", "due_at"], name="communication_due"),
            models.Index(fields=["address_hash", "sent_at"], name="communication_by_address"),
            models.Index(fields=["provider_id"], name="communication_by_provider_id"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["appointment", "revision", "kind", "lead", "channel", "serial"],
                condition=models.Q(related_person=None),
                name="communication_once",
            ),
            models.UniqueConstraint(
                fields=["appointment", "revision", "kind", "lead", "channel", "serial", "related_person"],
                condition=models.Q(related_person__isnull=False),
                name="communication_once_to_each",
            ),
            models.UniqueConstraint(
                fields=["patient", "reference", "kind", "channel", "serial"],
                condition=models.Q(appointment=None, related_person=None),
                name="communication_without_visit_once",
            ),
            models.UniqueConstraint(
                fields=["patient", "reference", "kind", "channel", "serial", "related_person"],
                condition=models.Q(appointment=None, related_person__isnull=False),
                name="communication_without_visit_once_to_each",
            ),
            models.CheckConstraint(
                condition=models.Q(appointment__isnull=False)
                | models.Q(kind__in=["offer", "grant"]) & ~models.Q(reference=""),
                name="communication_of_a_visit_or_by_reference",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="reminder", lead__gt=0) | ~models.Q(kind="reminder") & models.Q(lead=0),
                name="communication_reminders_have_lead",
            ),
            models.CheckConstraint(
                condition=models.Q(channel__in=["email", "sms"]), name="communication_channel_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["planned", "claimed", "sent", "failed", "suppressed", "unknown"]),
                name="communication_state_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state="sent", sent_at__isnull=False)
                | ~models.Q(state="sent") & models.Q(sent_at=None),
                name="communication_sent_has_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["suppressed", "failed", "unknown"]) | ~models.Q(reason=""),
                name="communication_not_sent_has_reason",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="unknown") | models.Q(dispatched_at__isnull=False),
                name="communication_unknown_was_handed_over",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}, {self.get_channel_display()}, {self.get_state_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.appointment is not None:
            self.patient = self.appointment.patient
            self.start = self.start or self.appointment.start
            if self._state.adding:
                self.details = {**self.details, "visit": _facts(self.appointment)}
        super().save(*args, **kwargs)

    def knows(self, visit: Appointment) -> bool:
        """Whether who was told this knows when, with whom and for what the visit is."""
        return self.start == visit.start and self.details.get("visit") == _facts(visit)

    @property
    def visit(self) -> Appointment:
        """The visit, of a message that must have one."""
        if self.appointment is None:
            raise ValueError("This message is about no visit.")
        return self.appointment

    @cached_property
    def grant(self) -> RelatedPerson:
        """Of a message about who acts for the patient: the grant that it tells of."""
        return RelatedPerson.objects.get(pk=uuid.UUID(self.reference), patient=self.patient)

    @property
    def recipient(self) -> Patient | RelatedPerson:
        """Whose address and language it goes by."""
        return self.related_person or self.patient

    @property
    def is_repeatable(self) -> bool:
        """Whether staff may send it again: what is about a visit. Whether an offer still stands is for the waitlist to
        say, not for us."""
        return self.kind not in {self.Kind.OFFER, self.Kind.GRANT}

    @property
    def was_tried(self) -> bool:
        """Whether it went out, or should have by now: what is only planned cannot be sent again."""
        return self.state not in {self.State.PLANNED, self.State.CLAIMED}

    @property
    def label(self) -> str:
        """ "Reminder, 1 day before"; of other messages the kind."""
        if self.kind != self.Kind.REMINDER:
            return str(self.get_kind_display())
        return gettext("Reminder, %(time)s before") % {"time": in_words(timedelta(minutes=self.lead))}


def _facts(visit: Appointment) -> dict[str, str]:
    """Besides its start, what a patient is told of a visit."""
    return {"practitioner": str(visit.practitioner_id), "visit_type": str(visit.visit_type_id)}


def in_words(time: timedelta) -> str:
    """ "3 days", "1 hour", "90 minutes": in the largest unit that is exact."""
    minutes = int(time / timedelta(minutes=1))
    if minutes % 1440 == 0:
        return ngettext("%(days)s day", "%(days)s days", minutes // 1440) % {"days": minutes // 1440}
    if minutes % 60 == 0:
        return ngettext("%(hours)s hour", "%(hours)s hours", minutes // 60) % {"hours": minutes // 60}
    return ngettext("%(minutes)s minute", "%(minutes)s minutes", minutes) % {"minutes": minutes}
