"""The summary of a visit, version by version.

FHIR R4 Composition and not DocumentReference: it is text in sections, with an author and a status of its own, and no
file somewhere.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.keys.fields import EncryptedTextField
from accounts.stamps import stamp
from visits.booking.models import Appointment

SECTIONS = ("what_to_do", "when_to_get_help", "talked_about")
LONGEST = 4000  # signs of a section
# Columns that are sealed. Of a published row the database lets nothing else be written, and these under a new key only.
SEALED = (*SECTIONS, "correction")


class Composition(models.Model):
    """One version: a draft (preliminary) until it is published, and from then on as it is.

    What was published the database neither changes nor removes: see the migrations. A correction is the next version.
    A summary goes by the id of its first version (Composition.identifier), which is what links open.
    """

    class Status(models.TextChoices):
        PRELIMINARY = "preliminary", _("Draft")
        FINAL = "final", _("Published")
        AMENDED = "amended", _("Corrected")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.ForeignKey(
        Appointment, models.PROTECT, verbose_name=_("visit"), related_name="compositions", editable=False
    )
    version = models.PositiveSmallIntegerField(_("version"), default=1, editable=False)
    status = models.CharField(_("status"), max_length=11, choices=Status, default=Status.PRELIMINARY, editable=False)
    # The patient's, when it was written.
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, editable=False)
    # Of a draft: who saved it last.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("written by"), related_name="+", editable=False
    )
    # As patients know them.
    author_name = models.CharField(_("author as patients see them"), max_length=120, editable=False)
    talked_about = EncryptedTextField(max_length=LONGEST, blank=True, editable=False)
    what_to_do = EncryptedTextField(max_length=LONGEST, blank=True, editable=False)
    when_to_get_help = EncryptedTextField(max_length=LONGEST, blank=True, editable=False)
    # Of a correction: what is new in it, for the patient.
    correction = EncryptedTextField(max_length=400, blank=True, editable=False)
    # How often this draft was saved: who saves tells what they saw.
    saves = models.PositiveIntegerField(default=0, editable=False)
    saved_at = models.DateTimeField(_("saved"), default=timezone.now, editable=False)
    published_at = models.DateTimeField(_("published"), null=True, editable=False)

    class Meta:
        ordering = ["appointment", "-version"]
        verbose_name = _("summary of a visit")
        verbose_name_plural = _("summaries of visits")
        constraints = [
            models.UniqueConstraint(fields=["appointment", "version"], name="composition_version_once"),
            models.UniqueConstraint(
                fields=["appointment"], condition=Q(status="preliminary"), name="composition_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(status="preliminary", published_at=None)
                | Q(status="final", version=1, published_at__isnull=False)
                | Q(status="amended", version__gt=1, published_at__isnull=False) & ~Q(correction=""),
                name="composition_status_says_what_it_is",
            ),
            models.CheckConstraint(
                condition=Q(status="preliminary") | ~Q(talked_about="", what_to_do="", when_to_get_help=""),
                name="composition_published_says_something",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="composition_versions_begin_with_one"),
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()} {self.version}, {stamp(self.saved_at)}"

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.PRELIMINARY

    @property
    def token(self) -> str:
        """Which state of which version this is: what a form was filled from."""
        return f"{self.version}.{self.saves}"
