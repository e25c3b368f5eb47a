"""A person who signs in: of staff with an e-mail address and a password; a patient, or who acts for one, by a code that
is mailed to them."""

import uuid
import zoneinfo
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.policy import Action

if TYPE_CHECKING:
    from accounts.models.clinic import Patient
    from accounts.models.related_person import RelatedPerson


def validate_time_zone(name: str) -> None:
    """Refuse a name that is not an IANA time zone."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is not a time zone. Example: America/Chicago."), params={"name": name})


class UserManager(BaseUserManager["User"]):
    def at(self, email: str) -> models.QuerySet["User"]:
        """Who signs in by this address, whatever case: compared as the constraint does, by its index.

        PostgreSQL's iexact compares in capitals, in which other letters (a long s) are the same.
        """
        return self.alias(lowered=Lower("email")).filter(lowered=email.lower())

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.at(username or "").get()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


# django-otp, whose devices point here, has no types.
class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]
    PARTIES = ("patient__clinic", "related_person__patient__clinic")  # to be read with it

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail"))
    name = models.CharField(_("name"), max_length=120)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, validators=[validate_time_zone])
    language = models.CharField(
        _("language"), max_length=8, default="en", choices=[("en", _("English")), ("es", _("Spanish"))]
    )
    is_active = models.BooleanField(_("may sign in"), default=True)
    is_staff = models.BooleanField(_("may open the admin"), default=False)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now, editable=False)
    # Whose account this is: a patient's, or of who acts for one by a grant. It has no address, no name, no password and
    # no rights of its own: codes go to the address that the clinic has, which is sealed, so that whoever changes it
    # there changes it here.
    patient = models.OneToOneField(
        "accounts.Patient",
        models.PROTECT,
        verbose_name=_("patient"),
        related_name="account",
        null=True,
        blank=True,
        editable=False,
    )
    related_person = models.OneToOneField(
        "accounts.RelatedPerson",
        models.PROTECT,
        verbose_name=_("acts for the patient"),
        related_name="account",
        null=True,
        blank=True,
        editable=False,
    )

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        ordering = ["name"]
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                condition=~models.Q(email=""),
                violation_error_message=_("A user with this e-mail exists already."),
            ),
            models.CheckConstraint(
                name="user_has_email_or_is_a_party",
                condition=models.Q(patient=None, related_person=None) & ~models.Q(email="")
                | (
                    models.Q(patient__isnull=False, related_person=None)
                    | models.Q(patient=None, related_person__isnull=False)
                )
                & models.Q(email="", name="", is_staff=False, is_superuser=False),
            ),
        ]

    def __str__(self) -> str:
        kind = _("Acts for a patient") if self.related_person_id else _("Patient")
        return self.name or self.email or f"{kind} {str(self.pk)[:8]}"

    @property
    def is_party(self) -> bool:
        """Whether it is the account of a patient, or of who acts for one, and none of staff."""
        return self.patient_id is not None or self.related_person_id is not None

    @property
    def bearer(self) -> "Patient | RelatedPerson | None":
        """The patient, or who acts for them; None of staff."""
        return self.related_person or self.patient

    @property
    def subject(self) -> "Patient | None":
        """The patient whose visits it opens; None of staff."""
        return self.related_person.patient if self.related_person else self.patient

    def opens_visits(self) -> bool:
        """Whether it is the account of a party and opens anything now: it is not ended, nor the patient's record
        closed, and who acts for them may see visits."""
        subject, person = self.subject, self.related_person
        if subject is None or not (self.is_active and subject.is_active):
            return False
        return person is None or (person.is_active() and person.covers(Action.VISIT_SEE))

    @property
    def shown_as(self) -> str:
        """What their authenticator calls the account, beside the clinic."""
        return self.bearer.full_name if self.bearer else self.email

    @property
    def address(self) -> str:
        """Where they are written to."""
        return self.bearer.email if self.bearer else self.email

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name
