"""A code of six digits that proves that somebody reads an address."""

import secrets
import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

DIGITS = 6


class OneTimeCode(models.Model):
    """Good once, until ``expires_at``, for ``MAX_FAILURES`` wrong tries. Only a keyed hash of it is stored.

    Read the row under its lock before it is tried: of many who have the right code at the same moment one is right.
    """

    MAX_FAILURES = 5

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES)
    # Empty until a worker has made the code.
    code_hash = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    failures = models.PositiveSmallIntegerField(_("wrong codes"), default=0)
    used_at = models.DateTimeField(_("used"), null=True)

    class Meta:
        abstract = True

    def is_live(self, now: datetime | None = None) -> bool:
        """Whether its code can still prove anything."""
        return self.used_at is None and self.failures < self.MAX_FAILURES and self.expires_at > (now or timezone.now())

    def make(self) -> str | None:
        """The code, made now; None where it was made before, or has expired: asked for twice, it is sent once."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        unmade = type(self)._default_manager.filter(pk=self.pk, code_hash="", expires_at__gt=timezone.now())
        return code if unmade.update(code_hash=self._hash(code)) else None

    def is_right(self, typed: str) -> bool:
        """Whether this is its code; whatever stands between the digits does not matter. Uses nothing up."""
        digits = "".join(sign for sign in typed if sign.isdecimal())
        return bool(self.code_hash) and constant_time_compare(self.code_hash, self._hash(digits))

    def answer(self, right: bool) -> bool:
        """Use it up, or count a failure; returns ``right``."""
        if right:
            self.used_at = timezone.now()
        else:
            self.failures += 1
        self.save(update_fields=["used_at", "failures"])
        return right

    def _hash(self, code: str) -> str:
        """HMAC-SHA256 under a key derived from SECRET_KEY: a stolen table tells nothing."""
        return salted_hmac("accounts.one_time_code", f"{self.pk}:{code}", algorithm="sha256").hexdigest()
