"""The audit trail (45 CFR 164.312(b)); words of FHIR R4 AuditEvent.

Rows are added by ``accounts.audit.services.record`` and never changed: the database itself
refuses UPDATE and DELETE (see the migrations). Who goes round that is found out: each row carries a
keyed digest of itself, the sealer chains the rows, and signed anchors say how long the chain was
(``accounts.audit.sealing``, ``accounts.audit.verifying``).
"""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.clinic import Clinic, Patient
from accounts.models.link import AccessLink
from accounts.stamps import stamp


class AuditEvent(models.Model):
    class Action(models.TextChoices):
        CREATE = "C", _("create")
        READ = "R", _("read")
        UPDATE = "U", _("update")
        DELETE = "D", _("delete")
        EXECUTE = "E", _("execute")

    class Outcome(models.TextChoices):
        SUCCESS = "0", _("success")
        MINOR_FAILURE = "4", _("refused")
        SERIOUS_FAILURE = "8", _("failed")

    # What makes two rows of the same words two: ids are not known before the insert, when the digest is made.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recorded = models.DateTimeField(_("recorded"), default=timezone.now, db_index=True)
    clinic = models.ForeignKey(Clinic, models.DO_NOTHING, verbose_name=_("clinic"), related_name="+", null=True)
    # Exactly one of user and link, or neither for the system itself and for strangers.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, verbose_name=_("user"), related_name="+", null=True
    )
    link = models.ForeignKey(AccessLink, models.DO_NOTHING, verbose_name=_("access link"), related_name="+", null=True)
    role = models.CharField(_("role"), max_length=16, blank=True)
    action = models.CharField(_("action"), max_length=1, choices=Action)
    # What happened, as noun.verb: "appointment.book", "user.signin", "visit.admit".
    subtype = models.CharField(_("event"), max_length=48, db_index=True)
    outcome = models.CharField(_("outcome"), max_length=1, choices=Outcome, default=Outcome.SUCCESS)
    entity_type = models.CharField(_("object"), max_length=48, blank=True)
    entity_id = models.CharField(_("object id"), max_length=64, blank=True, db_index=True)
    patient = models.ForeignKey(Patient, models.DO_NOTHING, verbose_name=_("patient"), related_name="+", null=True)
    address = models.GenericIPAddressField(_("address"), null=True)
    request_id = models.CharField(_("request"), max_length=32, blank=True)
    # Codes, ids and counts only; never names, clinical words or secrets.
    detail = models.JSONField(_("detail"), default=dict)
    # HMAC-SHA256 of all the columns above, in hex (accounts.audit.digests).
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["address"], name="audit_address")]
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")

    def __str__(self) -> str:
        return f"{stamp(self.recorded)}, {self.subtype}"


class UnsealedEvent(models.Model):
    """An event that has no place in the chain yet. A trigger adds it with the event's row; the sealer takes it out."""

    event = models.OneToOneField(AuditEvent, models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False)

    class Meta:
        verbose_name = "unsealed event"

    def __str__(self) -> str:
        return str(self.event_id)


class AuditSeal(models.Model):
    """The place of an event in the chain: the first has position 1, none is left out."""

    position = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, models.DO_NOTHING, related_name="+")
    # HMAC-SHA256 of the seal before, this position, the event's id and its digest, in hex.
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name = "audit seal"

    def __str__(self) -> str:
        return str(self.position)


class AuditAnchor(models.Model):
    """What the chain was at a time, signed (Ed25519); a copy lies outside of the database (AUDIT_ANCHORS)."""

    position = models.BigIntegerField(primary_key=True)
    digest = models.CharField(max_length=64)  # of the seal at ``position``
    at = models.DateTimeField()
    signature = models.CharField(max_length=128)

    class Meta:
        verbose_name = "audit anchor"

    def __str__(self) -> str:
        return str(self.position)
