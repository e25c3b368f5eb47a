"""The one form field that takes a file."""

import logging
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.base import File
from django.utils.translation import gettext_lazy as _

from accounts.audit import services as audit
from accounts.audit.current import current_request
from accounts.models import AuditEvent
from accounts.uploads import clamd

Outcome = AuditEvent.Outcome

SECONDS = 10  # that the scanner may take

log = logging.getLogger(__name__)


class UploadField(forms.FileField):
    """A file of at most ``max_bytes``, in which the virus scanner (CLAMD), where there is one, finds nothing.

    Without the scanner's verdict no file is taken. What was refused for its sake is on the trail and in the log: what
    was found or why there is no verdict, and the size; nothing of the file, nor its name.
    """

    default_error_messages = {
        "too_large": _("The file is too large. Split it: %(size)s KB at most."),
        "found": _("This file was not taken: the virus scanner found %(name)s in it."),
        "unchecked": _(
            "The file could not be checked for viruses and was not taken. Try again in a minute, or ask who runs this "
            "server."
        ),
        "too_large_to_check": _(
            "The file is larger than the virus scanner takes and was not taken. Split it, or ask who runs this server."
        ),
    }

    def __init__(self, *, max_bytes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_bytes = max_bytes

    def to_python(self, data: "File[Any] | None") -> "File[Any] | None":
        upload = super().to_python(data)
        if upload is None:
            return None
        if upload.size > self.max_bytes:
            raise self._error("too_large", size=self.max_bytes // 1000)
        if settings.CLAMD:
            self._scan(upload.read(), settings.CLAMD)
            upload.seek(0)
        return upload

    def _scan(self, content: bytes, address: clamd.Address) -> None:
        try:
            name = clamd.scan(content, address, seconds=SECONDS)
        except clamd.Unchecked as why:
            log.error("An upload of %d bytes was refused: the virus scanner gave no verdict (%s)", len(content), why)
            _record(Outcome.SERIOUS_FAILURE, reason=why.reason, bytes=len(content))
            raise self._error("too_large_to_check" if why.reason == "too_large" else "unchecked") from None
        if name:
            log.warning("An upload of %d bytes was refused: the virus scanner found %s", len(content), name)
            _record(Outcome.MINOR_FAILURE, found=name, bytes=len(content))
            raise self._error("found", name=name)

    def _error(self, code: str, **words: Any) -> forms.ValidationError:
        return forms.ValidationError(self.error_messages[code], code=code, params=words)


def _record(outcome: AuditEvent.Outcome, **detail: Any) -> None:
    request = current_request.get()
    principal = getattr(request, "principal", None)
    user = None if principal else getattr(request, "user", None)
    audit.record(
        "upload.refuse",
        AuditEvent.Action.EXECUTE,
        principal=principal,
        user=user if user and user.is_authenticated else None,
        outcome=outcome,
        detail=detail,
    )
