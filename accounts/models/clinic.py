"""Clinics and the people who belong to them.

FHIR R4: Clinic is an Organization, Membership a PractitionerRole without the schedule,
Practitioner and Patient are themselves.
"""

import uuid
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.contact import last_digits, normal_email, normal_phone, normal_record_number
from accounts.keys.fields import EncryptedEmailField, EncryptedTextField, KeyedHashField, Searchable
from accounts.models.user import validate_time_zone
from accounts.policy import ROLE_LABELS, STAFF_ROLES, Role


class Clinic(models.Model):
    class Encryption(models.TextChoices):
        """Whether sound and pictures are encrypted from browser to browser, so that no server can open them."""

        REQUIRED = "required", _("Required: a browser that cannot encrypt has no visit")
        PREFERRED = "preferred", _("Preferred: a clinician decides when a browser cannot encrypt")
        OFF = "off", _("Off: every visit is encrypted on the way only")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("short name"), unique=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="America/Chicago", validators=[validate_time_zone]
    )
    language = models.CharField(
        _("language"), max_length=8, default="en", choices=[("en", _("English")), ("es", _("Spanish"))]
    )
    phone = models.CharField(_("front desk phone"), max_length=32)
    phone_hours = models.CharField(_("when the phone is answered"), max_length=80, blank=True)
    emergency_number = models.CharField(_("emergency number"), max_length=16, default="911")
    encryption = models.CharField(
        _("end-to-end encryption"),
        max_length=9,
        choices=Encryption,
        default=Encryption.PREFERRED,
        help_text=_("For visits that begin from now on."),
    )
    names_staff = models.BooleanField(
        _("names of staff for patients"),
        default=True,
        help_text=_("Patients see who opened their record: with the name, or else with the role alone."),
    )

    privacy_email = models.EmailField(
        _("privacy contact"),
        blank=True,
        help_text=_("Is told when a record is opened in an emergency; where empty, the clinic’s admins are."),
    )
    age_of_majority = models.PositiveSmallIntegerField(
        _("age of majority"),
        default=18,
        validators=[MinValueValidator(16), MaxValueValidator(21)],
        help_text=_("On that birthday parents stop acting for a patient: 18, in some places 19 or 21."),
    )
    patients_need_factor = models.BooleanField(
        _("second factor for patients"),
        default=False,
        help_text=_("Patients with an account must have a passkey or an authenticator app; else they are offered it."),
    )

    class Meta:
        ordering = ["name"]
        verbose_name = _("clinic")
        verbose_name_plural = _("clinics")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(encryption__in=["required", "preferred", "off"]), name="clinic_encryption_known"
            ),
            models.CheckConstraint(
                condition=models.Q(age_of_majority__range=(16, 21)), name="clinic_age_of_majority_possible"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's role in one clinic; a user can belong to several clinics."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("user"), related_name="memberships"
    )
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="memberships")
    role = models.CharField(_("role"), max_length=16, choices=[(role.value, ROLE_LABELS[role]) for role in STAFF_ROLES])
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        ordering = ["clinic__name", "user__name"]
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["user", "clinic"], name="membership_once_per_clinic"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in STAFF_ROLES]), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({Role(self.role).label}, {self.clinic})"


class Practitioner(models.Model):
    """A clinician as patients see them, in one clinic."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, verbose_name=_("clinic"), related_name="practitioners")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("user"), related_name="practitioners"
    )
    name = models.CharField(_("name shown to patients"), max_length=120)
    specialty = models.CharField(_("specialty"), max_length=80, blank=True)
    is_active = models.BooleanField(_("takes visits"), default=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("clinician")
        verbose_name_plural = _("clinicians")
        constraints = [models.UniqueConstraint(fields=["clinic", "user"], name="practitioner_once_per_clinic")]

    def __str__(self) -> str:
        return self.name


def _email_of(patient: Any) -> str:
    return normal_email(patient.email)


def _phone_of(patient: Any) -> str:
    return normal_phone(patient.phone, patient.clinic.time_zone)


def _last_digits_of(patient: Any) -> str:
    return last_digits(patient.phone)


def _record_number_of(patient: Any) -> str:
    return normal_record_number(patient.record_number)


class Patient(Searchable):
    """A person in care of one clinic; needs no account."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.PROTECT, verbose_name=_("clinic"), related_name="patients")
    given_name = models.CharField(_("first name"), max_length=60)
    family_name = models.CharField(_("last name"), max_length=60)
    birth_date = models.DateField(_("birth date"))
    email = EncryptedEmailField(_("e-mail"), blank=True)
    email_hash = KeyedHashField(source="email", normal=_email_of)
    phone = EncryptedTextField(_("phone"), max_length=32, blank=True)
    phone_hash = KeyedHashField(source="phone", normal=_phone_of)
    last_digits_hash = KeyedHashField(source="phone", normal=_last_digits_of)
    # The clinic's own number of the person, in whatever other system it keeps them (FHIR Identifier, type MR).
    record_number = EncryptedTextField(_("record number"), max_length=32, blank=True)
    record_number_hash = KeyedHashField(source="record_number", normal=_record_number_of)
    language = models.CharField(
        _("language"), max_length=8, default="en", choices=[("en", _("English")), ("es", _("Spanish"))]
    )
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, validators=[validate_time_zone])
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    # From then on nothing is booked for them and their links open nothing.
    deactivated_at = models.DateTimeField(_("no new visits since"), null=True, blank=True, editable=False)
    # From then on the row names nobody.
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["family_name", "given_name"]
        verbose_name = _("patient")
        verbose_name_plural = _("patients")
        indexes = [
            models.Index(fields=["clinic", "family_name", "given_name"], name="patient_by_name"),
            models.Index(fields=["email_hash"], name="patient_by_email"),
            models.Index(fields=["phone_hash"], name="patient_by_phone"),
            models.Index(fields=["last_digits_hash"], name="patient_by_last_digits"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(erased_at=None) | models.Q(deactivated_at__isnull=False),
                name="patient_erased_is_inactive",
            ),
            models.UniqueConstraint(
                fields=["clinic", "record_number_hash"],
                condition=~models.Q(record_number_hash=""),
                name="patient_record_number_once",
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    def clean(self) -> None:
        """Two patients of a clinic have no record number in common."""
        same = Patient.objects.filter(
            clinic=self.clinic_id, record_number_hash__of=normal_record_number(self.record_number)
        )
        if same.exclude(pk=self.pk).exists():
            raise ValidationError({"record_number": _("Another patient of the clinic has this record number.")})

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}"

    @property
    def is_active(self) -> bool:
        """Whether visits can be booked for them."""
        return self.deactivated_at is None

    @property
    def of_age_on(self) -> date:
        """The day from which nobody acts for them as a parent; who was born on 29 February is of age on 1 March."""
        year = self.birth_date.year + self.clinic.age_of_majority
        try:
            return self.birth_date.replace(year=year)
        except ValueError:
            return date(year, 3, 1)

    @property
    def home_zone(self) -> str:
        """The time zone whose clock the patient goes by: the clinic's, where theirs is not known."""
        return self.time_zone or self.clinic.time_zone
