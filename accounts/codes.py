"""Codes that are sent to an address, and prove who reads it: how many, by which mail, and until when.

What a code is for, and by which other way than e-mail it goes, is said by who sends it.
"""

from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.audit.address import caller_network
from accounts.limit import too_many
from accounts.models import Clinic
from accounts.models.one_time_code import OneTimeCode

# Codes an hour, of one purpose: to an address for one caller, to it in all, and for one caller in all.
TO_ADDRESS, TO_ADDRESS_IN_ALL, PER_CALLER = 5, 15, 30
HOUR = 3600
KEPT = timedelta(hours=1)


class TooManyCodes(Exception):
    """So many codes were sent to this address, or asked for from this place, that no more is sent for a while."""


class CodeEnded(Exception):
    """The code proves nothing any more: it has expired, was used, or too many wrong ones were typed."""


class WrongCode(Exception):
    """It is another code: ``tries_left`` more wrong ones end it."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        self.tries_left = tries_left


def count_sent(*, request: HttpRequest, purpose: str, address: str, is_owner: bool = False) -> None:
    """Count one more code to ``address``, in its normal form. Raises TooManyCodes.

    ``is_owner``: strangers' codes to this address keep who asks now from nothing.
    """
    caller = caller_network(request)
    to = salted_hmac("accounts.codes", address, algorithm="sha256").hexdigest()
    # In this order: who is over their own limits uses up nothing of an address that may be somebody else's.
    limits = [(f"{purpose}-from:{caller}", PER_CALLER), (f"{purpose}-to:{to}:{caller}", TO_ADDRESS)]
    if not is_owner:
        limits.append((f"{purpose}-to:{to}", TO_ADDRESS_IN_ALL))
    if any(too_many(key, times=times, seconds=HOUR) for key, times in limits):
        raise TooManyCodes


def mail(*, code: str, to: str, clinic: Clinic | None, lead: str, warning: str) -> None:
    """Send the code in the language of the moment, which ``lead`` and ``warning`` are in. ``clinic``: in whose name.

    Raises OSError.
    """
    language = get_language()
    context = {"clinic": clinic, "language": language, "code": code, "headline": _("Your code"), "lead": lead,
               "warning": warning}  # fmt: skip
    name = clinic.name if clinic else "Telehealth"
    message = EmailMultiAlternatives(
        subject=render_to_string("emails/code-subject.txt", context).strip(),
        body=render_to_string("emails/code.txt", context),
        from_email=formataddr((name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
        to=[to],
        headers={"Auto-Submitted": "auto-generated", "Content-Language": str(language)},
    )
    message.attach_alternative(render_to_string("emails/code.html", context), "text/html")
    message.send()


def lock(model: type[OneTimeCode], **which: Any) -> Any:
    """The row of ``model`` that it is about, locked for the rest of the transaction. Raises CodeEnded."""
    row = model._default_manager.select_for_update(of=("self",)).filter(**which).first()
    if row is None or not row.is_live():
        raise CodeEnded
    return row


def refusal(row: OneTimeCode) -> WrongCode | CodeEnded:
    """What to raise for a wrong code that was counted: outside of the transaction, which must not roll that back."""
    left = row.MAX_FAILURES - row.failures
    return WrongCode(left) if left > 0 else CodeEnded()


def forget_old(model: type[OneTimeCode], now: datetime | None = None) -> int:
    """Remove what has expired an hour ago; return how many."""
    removed, _by_model = model._default_manager.filter(expires_at__lt=(now or timezone.now()) - KEPT).delete()
    return removed
