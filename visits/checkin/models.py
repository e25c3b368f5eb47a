"""What stands between a link and the waiting room: details, consent (FHIR R4 Consent), device check."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.models import Clinic, Patient
from accounts.stamps import stamp
from visits.booking.models import Appointment


class ConsentText(models.Model):
    """One version of the agreement to a video visit, word for word. Published texts never change."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="consent_texts")
    language = models.CharField(_("language"), max_length=8, choices=[("en", _("English")), ("es", _("Spanish"))])
    version = models.PositiveIntegerField(_("version"))
    body = models.TextField(_("text"))
    published_at = models.DateTimeField(_("published"), default=timezone.now)

    class Meta:
        ordering = ["clinic", "language", "-version"]
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")
        constraints = [
            models.UniqueConstraint(fields=["clinic", "language", "version"], name="consent_text_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.clinic}, {self.get_language_display()}, {self.version}"


class Consent(models.Model):
    """A patient's agreement to one visit by video, to one version of the text."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.OneToOneField(Appointment, models.PROTECT, verbose_name=_("visit"), related_name="consent")
    patient = models.ForeignKey(Patient, models.PROTECT, verbose_name=_("patient"), related_name="consents")
    text = models.ForeignKey(ConsentText, models.PROTECT, verbose_name=_("consent text"), related_name="+")
    given_at = models.DateTimeField(_("given"), default=timezone.now)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")

    def __str__(self) -> str:
        return stamp(self.given_at)


class CheckIn(models.Model):
    """The patient's answers for one visit; what safety needs in a call, confirmed anew each time."""

    class Device(models.TextChoices):
        UNKNOWN = "", _("not yet")
        OK = "ok", _("works")
        BLOCKED = "blocked", _("blocked")
        MISSING = "missing", _("not found")
        BUSY = "busy", _("in use elsewhere")
        OFF = "off", _("chosen off")

    appointment = models.OneToOneField(
        Appointment, models.CASCADE, verbose_name=_("visit"), primary_key=True, related_name="check_in"
    )
    callback_phone = EncryptedTextField(_("if we get cut off, we call"), max_length=32, blank=True)
    location = EncryptedTextField(_("where you are right now"), max_length=160, blank=True)
    emergency_contact = EncryptedTextField(_("who we call in an emergency"), max_length=120, blank=True)
    details_at = models.DateTimeField(_("details confirmed"), null=True, blank=True)
    camera = models.CharField(_("camera"), max_length=8, choices=Device, blank=True, default=Device.UNKNOWN)
    microphone = models.CharField(_("microphone"), max_length=8, choices=Device, blank=True, default=Device.UNKNOWN)
    devices_at = models.DateTimeField(_("devices checked"), null=True, blank=True)

    class Meta:
        verbose_name = _("check-in")
        verbose_name_plural = _("check-ins")

    def __str__(self) -> str:
        return str(self.appointment)
