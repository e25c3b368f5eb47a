"""Who acts for a patient: a parent of a minor, a guardian, whom the patient trusts (FHIR R4 RelatedPerson)."""

import uuid
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.contact import normal_email
from accounts.keys.fields import EncryptedEmailField, EncryptedTextField, KeyedHashField, Searchable
from accounts.models.clinic import Clinic, Patient
from accounts.policy import PROXY_ACTIONS, Action, ProxyScope


def normal_name(person: Any) -> str:
    """By which the same person is known again: whatever case and spaces."""
    return " ".join(f"{person.given_name} {person.family_name}".casefold().split())


def _email_of(person: Any) -> str:
    return normal_email(person.email)


class RelatedPerson(Searchable):
    """One grant: this person may do this much for this patient, from one day to another of the patient's calendar.

    A parent's grant ends by itself on the day on which the patient is of age, whatever is written here: whoever asks
    goes by ``is_active``. 45 CFR 164.502(g).
    """

    class Relationship(models.TextChoices):
        """HL7 v3 RoleCode; carers are a v3 RoleClass. The words stand before "of Rosa"."""

        MOTHER = "MTH", _("mother")
        FATHER = "FTH", _("father")
        PARENT = "PRN", _("parent")
        GUARDIAN = "GUARD", _("guardian")
        GRANDPARENT = "GRPRN", _("grandparent")
        SPOUSE = "SPS", _("spouse")
        PARTNER = "DOMPART", _("partner")
        CHILD = "CHILD", _("son or daughter")
        SIBLING = "SIB", _("brother or sister")
        CARER = "CAREGIVER", _("carer")
        FRIEND = "FRND", _("friend")

    class Basis(models.TextChoices):
        """Why they may: the paragraphs of 45 CFR 164."""

        MINOR = "minor", _("Parent or guardian of a minor")  # 502(g)(3)
        LEGAL = "legal", _("Guardian or power of attorney of an adult")  # 502(g)(2)
        PATIENT = "patient", _("The patient asked for it")  # 508, 510(b)

    class Messages(models.TextChoices):
        """Who gets what is sent about visits."""

        PATIENT = "patient", _("The patient alone")
        BOTH = "both", _("The patient and this person")
        PROXY = "proxy", _("This person instead of the patient")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(Patient, models.CASCADE, verbose_name=_("patient"), related_name="related_persons")
    given_name = EncryptedTextField(_("first name"), max_length=60)
    family_name = EncryptedTextField(_("last name"), max_length=60)
    name_hash = KeyedHashField(source="given_name", normal=normal_name)
    relationship = models.CharField(_("relationship"), max_length=9, choices=Relationship)
    email = EncryptedEmailField(_("e-mail"), max_length=254, blank=True)
    email_hash = KeyedHashField(source="email", normal=_email_of)
    phone = EncryptedTextField(_("phone"), max_length=32, blank=True)
    language = models.CharField(_("language"), max_length=8, default="en", choices=settings.LANGUAGES)
    basis = models.CharField(_("on what basis"), max_length=7, choices=Basis)
    # What the clinic was shown, and by whom.
    basis_note = EncryptedTextField(_("what was shown"), max_length=200, blank=True)
    manages = models.BooleanField(_("see, change and check in for visits"), default=True)
    joins = models.BooleanField(_("join visits"), default=True)
    reads = models.BooleanField(_("read summaries and answers"), default=False)
    messages = models.CharField(_("messages go to"), max_length=7, choices=Messages, default=Messages.BOTH)
    valid_from = models.DateField(_("from"))
    # The last day.
    valid_until = models.DateField(_("until"), null=True, blank=True)
    granted_at = models.DateTimeField(_("granted"), default=timezone.now, editable=False)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("granted by"), related_name="+", editable=False
    )
    revoked_at = models.DateTimeField(_("ended"), null=True, editable=False)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("ended by"),
        related_name="+",
        null=True,
        editable=False,
    )

    class Meta:
        ordering = ["granted_at"]
        verbose_name = _("person who acts for a patient")
        verbose_name_plural = _("people who act for patients")
        indexes = [models.Index(fields=["email_hash"], name="related_person_by_email")]
        # A parent's grant past majority is refused by triggers: see the migration.
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "name_hash"], condition=Q(revoked_at=None), name="related_person_one_open_grant"
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gte=models.F("valid_from")),
                name="related_person_until_after_from",
            ),
            models.CheckConstraint(
                condition=~Q(basis="minor") | Q(valid_until__isnull=False), name="related_person_of_a_minor_ends"
            ),
            models.CheckConstraint(
                condition=Q(manages=True) | Q(joins=True) | Q(reads=True), name="related_person_may_something"
            ),
            models.CheckConstraint(
                condition=Q(messages="patient") | ~Q(email="", phone=""),
                name="related_person_with_messages_has_address",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None) | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="related_person_ended_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(basis__in=["minor", "legal", "patient"], messages__in=["patient", "both", "proxy"]),
                name="related_person_words_known",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}"

    @property
    def party_name(self) -> str:
        """ "Ana Ruiz, mother of Rosa", in the language of the moment."""
        words = {"name": self.full_name, "relationship": self.get_relationship_display()}
        return gettext("%(name)s, %(relationship)s of %(patient)s") % {**words, "patient": self.patient.given_name}

    @property
    def clinic(self) -> Clinic:
        return self.patient.clinic

    @property
    def home_zone(self) -> str:
        """The clock that the grant, and messages about visits, go by: the patient's."""
        return self.patient.home_zone

    @property
    def scopes(self) -> set[ProxyScope]:
        granted = {ProxyScope.MANAGE: self.manages, ProxyScope.JOIN: self.joins, ProxyScope.READ: self.reads}
        return {scope for scope, is_granted in granted.items() if is_granted}

    def covers(self, action: Action) -> bool:
        """Whether what was granted includes ``action``; whether it is granted now, ``is_active`` says."""
        return any(action in PROXY_ACTIONS[scope] for scope in self.scopes)

    @property
    def ends_after(self) -> date | None:
        """The last day on which they may act: as written, or the last before a parent's child is of age."""
        ends = [self.valid_until] if self.valid_until else []
        if self.basis == self.Basis.MINOR:
            ends.append(self.patient.of_age_on - timedelta(days=1))
        return min(ends, default=None)

    def is_active(self, now: datetime | None = None) -> bool:
        """Whether they may act for the patient now, by the patient's calendar."""
        today = (now or timezone.now()).astimezone(ZoneInfo(self.home_zone)).date()
        ends_after = self.ends_after
        has_begun = self.revoked_at is None and self.valid_from <= today
        return has_begun and (ends_after is None or today <= ends_after)

    @property
    def relationship_label(self) -> str:
        return capfirst(str(self.get_relationship_display()))
