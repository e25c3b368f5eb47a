"""Secret links that let a person without an account into one thing of one clinic.

Only a keyed hash of the token is stored; the token itself exists in the message that carried it.
"""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.clinic import Clinic, Patient
from accounts.models.related_person import RelatedPerson
from accounts.stamps import stamp


class AccessLink(models.Model):
    class Kind(models.TextChoices):
        PATIENT = "patient", _("patient")
        PROXY = "proxy", _("acts for the patient")
        GUEST = "guest", _("guest")

    class Relationship(models.TextChoices):
        """What guests are mostly invited as; a clinic may use a word of its own."""

        INTERPRETER = "interpreter", _("Interpreter")
        RELATIVE = "relative", _("Relative or friend")
        COLLEAGUE = "colleague", _("Colleague")
        STUDENT = "student", _("Student")
        GUEST = "guest", _("Guest")

    class Scope(models.TextChoices):
        """What kind of thing it opens, and so where it leads."""

        VISIT = "visit", _("visit")
        SUMMARY = "summary", _("summary of a visit")

    MAX_FAILURES = 3
    PEOPLE = ("clinic", "patient__clinic", "related_person__patient__clinic")  # to be read with it

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="+")
    patient = models.ForeignKey(
        Patient, models.CASCADE, verbose_name=_("patient"), related_name="links", null=True, blank=True
    )
    # Who acts for the patient, of whose links this is one: it opens nothing for longer than they may.
    related_person = models.ForeignKey(
        RelatedPerson,
        models.CASCADE,
        verbose_name=_("acts for the patient"),
        related_name="links",
        null=True,
        blank=True,
    )
    # For a guest: how the others see them, and as what they were invited.
    name = models.CharField(_("name"), max_length=80, blank=True)
    relationship = models.CharField(_("comes as"), max_length=40, blank=True)
    # The one thing that this link opens. Accounts does not know what it is.
    resource_id = models.UUIDField(_("opens"), db_index=True)
    scope = models.CharField(_("opens what"), max_length=8, choices=Scope, default=Scope.VISIT)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, verbose_name=_("created by"), related_name="+", null=True, blank=True
    )
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    first_used_at = models.DateTimeField(_("first used"), null=True, blank=True)
    failures = models.PositiveSmallIntegerField(_("wrong birth dates"), default=0)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("access link")
        verbose_name_plural = _("access links")
        constraints = [
            models.CheckConstraint(
                name="link_patient_or_named_guest",
                condition=models.Q(kind="patient", patient__isnull=False, related_person__isnull=True)
                | models.Q(kind="proxy", patient__isnull=False, related_person__isnull=False)
                | models.Q(kind="guest", patient__isnull=True, related_person__isnull=True) & ~models.Q(name=""),
            ),
            models.CheckConstraint(
                name="link_of_a_guest_opens_a_visit",
                condition=models.Q(scope="visit") | models.Q(scope="summary", kind__in=["patient", "proxy"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {stamp(self.created_at)}"

    @property
    def relationship_label(self) -> str:
        """As what a guest was invited, in words of the page's language."""
        return str(dict(self.Relationship.choices).get(self.relationship, self.relationship))

    @property
    def bearer(self) -> Patient | RelatedPerson | None:
        """Who holds it: the patient, or who acts for them; None for a guest, of whom there is a name alone."""
        return self.related_person or self.patient

    @property
    def is_handed_out(self) -> bool:
        """Whether staff have seen it, who know the birth date, too: so they could open it themselves."""
        return self.created_by_id is not None and self.patient_id is not None

    def is_live(self, now: datetime | None = None) -> bool:
        """Whether it still opens anything: not revoked, not expired, not locked by wrong birth dates, and who holds it
        for the patient still may."""
        now = now or timezone.now()
        is_open = self.revoked_at is None and self.failures < self.MAX_FAILURES and self.expires_at > now
        return is_open and (self.related_person is None or self.related_person.is_active(now))
