"""An invitation to work in a clinic, sent by its admin to an address.

Only a keyed hash of the token is stored; the token itself exists in the mail that carries it.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.clinic import Clinic
from accounts.policy import ROLE_LABELS, STAFF_ROLES

LASTS = timedelta(hours=72)


def in_three_days() -> Any:
    return timezone.now() + LASTS


class State(models.TextChoices):
    OPEN = "open", _("open")
    EXPIRED = "expired", _("expired")
    ACCEPTED = "accepted", _("accepted")
    WITHDRAWN = "withdrawn", _("withdrawn")


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def unanswered(self) -> Self:
        """Neither accepted nor withdrawn; expired perhaps."""
        return self.filter(accepted_at=None, withdrawn_at=None)

    def in_state(self, state: State) -> Self:
        now = timezone.now()
        return {
            State.OPEN: self.unanswered().filter(expires_at__gt=now),
            State.EXPIRED: self.unanswered().filter(expires_at__lte=now),
            State.ACCEPTED: self.filter(accepted_at__isnull=False),
            State.WITHDRAWN: self.filter(withdrawn_at__isnull=False),
        }[state]


class Invitation(models.Model):
    """The address is in the clear, as that of the account which comes of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clinic = models.ForeignKey(Clinic, models.CASCADE, verbose_name=_("clinic"), related_name="invitations")
    email = models.EmailField(_("e-mail"))
    name = models.CharField(_("name"), max_length=120)
    role = models.CharField(_("role"), max_length=16, choices=[(role.value, ROLE_LABELS[role]) for role in STAFF_ROLES])
    language = models.CharField(
        _("language"), max_length=8, default="en", choices=[("en", _("English")), ("es", _("Spanish"))]
    )
    # None until a mail with a token is on its way.
    token_hash = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("invited"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("invited by"),
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    sent_at = models.DateTimeField(_("mailed"), null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), default=in_three_days, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True, editable=False)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("accepted by"),
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True, editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["clinic", "email"],
                condition=Q(accepted_at=None, withdrawn_at=None),
                name="invitation_open_once_per_address",
            ),
            models.CheckConstraint(
                condition=Q(role__in=[role.value for role in STAFF_ROLES]), name="invitation_role_known"
            ),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="invitation_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(accepted_at=None, accepted_by=None)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False, withdrawn_at=None),
                name="invitation_accepted_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.email})"

    def state(self, now: datetime | None = None) -> State:
        if self.accepted_at is not None:
            return State.ACCEPTED
        if self.withdrawn_at is not None:
            return State.WITHDRAWN
        return State.OPEN if self.expires_at > (now or timezone.now()) else State.EXPIRED

    @property
    def is_open(self) -> bool:
        return self.state() == State.OPEN
