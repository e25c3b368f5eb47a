"""The audit trail (45 CFR 164.312(b)); words of FHIR R4 AuditEvent.

Rows are added by ``accounts.audit.services.record`` and never changed: the database itself
refuses UPDATE and DELETE (see the migration).
"""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.clinic import Clinic, Patient
from accounts.models.link import AccessLink


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

    recorded = models.DateTimeField(_("recorded"), auto_now_add=True, db_index=True)
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

    class Meta:
        ordering = ["-id"]
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")

    def __str__(self) -> str:
        return f"{self.recorded:%Y-%m-%d %H:%M:%S} {self.subtype}"
