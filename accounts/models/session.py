"""A browser's session: what it keeps here, whose it is, since when and until when."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Session(models.Model):
    """``SESSION_ENGINE`` reads and writes it (``accounts.sessions.store``). Without a row nobody is signed in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Of the browser's cookie, which is nowhere: a stolen table opens nothing.
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    data = models.TextField(editable=False)  # sealed
    expires_at = models.DateTimeField(_("ends by itself"), db_index=True)
    # Nobody before the password is given, and where a patient's link alone is open.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, verbose_name=_("user"), related_name="sessions", null=True, blank=True
    )
    # The absolute limit counts from here: the sign-in, or the browser's first coming.
    began_at = models.DateTimeField(_("since"), default=timezone.now)
    seen_at = models.DateTimeField(_("last active"), default=timezone.now)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    network = models.CharField(_("network"), max_length=49, blank=True)

    class Meta:
        ordering = ["-seen_at"]
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {str(self.pk)[:8]}"
