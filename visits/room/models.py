"""What happened in a visit: Encounter (FHIR R4), who had a seat, who was present from when to when."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessLink, Clinic, RelatedPerson
from accounts.stamps import stamp
from visits.booking.models import Appointment


class RelayNode(models.Model):
    """One process that forwards media: what its last pulse said, and what the operator wants. See visits.room.nodes."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        DRAINING = "draining", _("Takes no new visits")
        GONE = "gone", _("Gone")

    id = models.CharField(_("relay process"), primary_key=True, max_length=64, editable=False)
    address = models.CharField(_("address"), max_length=32)
    seen_at = models.DateTimeField(_("last sign of life"))
    state = models.CharField(_("status"), max_length=8, choices=State, default=State.ACTIVE)
    # Kept while it is gone: one that only hung is still to be drained.
    drained_at = models.DateTimeField(_("takes no new visits since"), null=True, blank=True)
    rooms = models.PositiveIntegerField(_("visits"), default=0)
    peers = models.PositiveIntegerField(_("people"), default=0)
    capacity = models.PositiveIntegerField(_("most people"), default=0)
    cpu = models.FloatField(_("processor"), default=0)  # cores
    bitrate = models.BigIntegerField(_("bits per second"), default=0)
    load = models.FloatField(_("load"), default=0)  # 1: as much as it can carry
    full = models.CharField(max_length=8, blank=True)  # as wire.Pulse has it

    class Meta:
        ordering = ["id"]
        verbose_name = _("media relay")
        verbose_name_plural = _("media relays")

    def __str__(self) -> str:
        return self.id


class Encounter(models.Model):
    class Status(models.TextChoices):
        IN_PROGRESS = "in-progress", _("In visit")
        FINISHED = "finished", _("Finished")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.OneToOneField(Appointment, models.PROTECT, verbose_name=_("visit"), related_name="encounter")
    status = models.CharField(_("status"), max_length=11, choices=Status, default=Status.IN_PROGRESS)
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("ended by"), related_name="+", null=True, blank=True
    )
    # Where the room is; written by visits.room.nodes alone.
    relay_node = models.ForeignKey(
        RelayNode, models.SET_NULL, verbose_name=_("media relay"), related_name="+", null=True, editable=False
    )
    placed_at = models.DateTimeField(null=True, editable=False)
    # The clinic's policy when the visit began; a later change is for later visits.
    encryption = models.CharField(_("end-to-end encryption"), max_length=9, choices=Clinic.Encryption)
    # From when on, for good, a clinician went on without it.
    unencrypted_at = models.DateTimeField(_("not encrypted end to end since"), null=True, blank=True)
    unencrypted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("decided by"), related_name="+", null=True, blank=True
    )

    class Meta:
        ordering = ["-started_at"]
        verbose_name = _("video visit")
        verbose_name_plural = _("video visits")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="finished", ended_at__isnull=False)
                | models.Q(status="in-progress", ended_at=None),
                name="encounter_finished_has_end",
            ),
            models.CheckConstraint(
                condition=models.Q(encryption__in=["required", "preferred", "off"]), name="encounter_encryption_known"
            ),
            models.CheckConstraint(
                condition=models.Q(unencrypted_at=None, unencrypted_by=None)
                | models.Q(
                    unencrypted_at__isnull=False,
                    unencrypted_at__gte=models.F("started_at"),
                    unencrypted_by__isnull=False,
                    encryption="preferred",
                ),
                name="encounter_unencrypted_by_somebody_who_may",
            ),
        ]

    def __str__(self) -> str:
        return stamp(self.started_at)

    @property
    def live_node(self) -> str | None:
        """The relay node that has the room now."""
        node = self.relay_node
        return node.pk if node is not None and node.state != RelayNode.State.GONE else None

    @property
    def is_encrypted(self) -> bool:
        """Whether sound and pictures are encrypted end to end now."""
        return self.encryption != Clinic.Encryption.OFF and self.unencrypted_at is None


class Seat(models.Model):
    """One person's place in one encounter. The relay knows them by ``id`` only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    encounter = models.ForeignKey(Encounter, models.CASCADE, verbose_name=_("video visit"), related_name="seats")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("user"), related_name="+", null=True, blank=True
    )
    link = models.ForeignKey(
        AccessLink, models.PROTECT, verbose_name=_("access link"), related_name="+", null=True, blank=True
    )
    # Who acts for the patient: one person, whichever of their links they used.
    related_person = models.ForeignKey(
        RelatedPerson,
        models.PROTECT,
        verbose_name=_("acts for the patient"),
        related_name="+",
        null=True,
        blank=True,
    )
    name = models.CharField(_("name"), max_length=121)
    role = models.CharField(_("role"), max_length=16)
    # Grows with each joining, where the newest copy of a person evicts the older one, and when a copy is sent out.
    epoch = models.PositiveIntegerField(_("times joined"), default=0)
    # Grows with each socket that takes the seat, by joining or by taking up a copy whose socket was lost.
    turn = models.PositiveIntegerField(_("times taken"), default=0)
    # When, by the database's clock, the socket that took it last was opened.
    opened_at = models.DateTimeField(null=True, editable=False)
    audio = models.BooleanField(_("microphone on"), default=False)
    video = models.BooleanField(_("camera on"), default=False)
    # The last sign of life of a browser of theirs that cannot encrypt, and therefore waits outside.
    unable_at = models.DateTimeField(_("waits unencrypted"), null=True, blank=True)

    # The relay node that this copy is on; set where it has been let in.
    node: str | None = None

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, link=None) | models.Q(user=None, link__isnull=False),
                name="seat_of_user_or_link",
            ),
            models.UniqueConstraint(
                fields=["encounter", "user"], condition=models.Q(user__isnull=False), name="seat_once_per_user"
            ),
            models.UniqueConstraint(
                fields=["encounter", "link"], condition=models.Q(link__isnull=False), name="seat_once_per_link"
            ),
            models.UniqueConstraint(
                fields=["encounter", "related_person"],
                condition=models.Q(related_person__isnull=False),
                name="seat_once_per_related_person",
            ),
            models.CheckConstraint(
                condition=models.Q(role="proxy", related_person__isnull=False)
                | ~models.Q(role="proxy") & models.Q(related_person=None),
                name="seat_of_proxy_says_whose",
            ),
            # Each message carries a link of its own; the patient is one person all the same.
            models.UniqueConstraint(
                fields=["encounter"], condition=models.Q(role="patient"), name="seat_of_one_patient"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Presence(models.Model):
    """One stretch of time in which a participant's media were connected."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    seat = models.ForeignKey(Seat, models.CASCADE, verbose_name=_("participant"), related_name="presences")
    epoch = models.PositiveIntegerField()
    joined_at = models.DateTimeField(_("joined"))
    seen_at = models.DateTimeField(_("last seen"))
    left_at = models.DateTimeField(_("left"), null=True, blank=True)
    left_why = models.CharField(_("how it ended"), max_length=12, blank=True)

    class Meta:
        ordering = ["joined_at"]
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        constraints = [
            models.UniqueConstraint(
                fields=["seat"], condition=models.Q(left_at=None), name="presence_one_open_per_seat"
            ),
            models.CheckConstraint(
                condition=models.Q(left_at=None) | models.Q(left_at__gte=models.F("joined_at")),
                name="presence_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.joined_at:%H:%M:%S}–{self.left_at:%H:%M:%S}" if self.left_at else f"{self.joined_at:%H:%M:%S}–"


class LineMinute(models.Model):
    """How one participant's line was in one minute: numbers only, written by visits.room.statistics.

    ``relay``: [least, mean, most] by figure, over as many of the relay's seconds as ``seconds``
    counts. ``browser``: what the participant's own page told of its minute.
    """

    id = models.BigAutoField(primary_key=True)
    seat = models.ForeignKey(Seat, models.CASCADE, verbose_name=_("participant"), related_name="line_minutes")
    minute = models.DateTimeField()
    seconds = models.PositiveSmallIntegerField(default=0)
    relay = models.JSONField(default=dict)
    browser = models.JSONField(default=dict)

    class Meta:
        ordering = ["minute"]
        constraints = [models.UniqueConstraint(fields=["seat", "minute"], name="line_minute_once_per_seat")]

    def __str__(self) -> str:
        return f"{self.minute:%H:%M}"
