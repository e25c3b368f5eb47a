"""Codes that prove an address: sent by a worker, checked under the row's lock."""

import uuid
from datetime import datetime, timedelta
from email.utils import formataddr, parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.audit.address import caller_network
from accounts.limit import too_many
from accounts.models import Clinic
from visits.booking.models import Hold
from visits.online.models import Verification
from visits.reminders.channels import sms
from visits.reminders.texts import in_gsm

Channel = Verification.Channel

# Codes an hour: to an address for one caller, to it in all, and for one caller in all.
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


def good_until() -> datetime:
    """When a code that is sent now expires: with the time that is kept meanwhile."""
    return timezone.now() + Hold.LASTS


def send(
    *, clinic: Clinic, channel: str, address: str, expires_at: datetime, language: str, request: HttpRequest
) -> Verification:
    """Have a code sent to ``address`` (e-mail, or phone in E.164). Raises TooManyCodes.

    Whether the clinic knows the address makes no difference.
    """
    caller, to = caller_network(request), _hash(address.casefold())
    limits = [
        (f"code-from:{caller}", PER_CALLER),
        (f"code-to:{to}:{caller}", TO_ADDRESS),
        (f"code-to:{to}", TO_ADDRESS_IN_ALL),
    ]
    # In this order: who is over their own limits uses up nothing of an address that may be somebody else's.
    if any(too_many(key, times=times, seconds=HOUR) for key, times in limits):
        raise TooManyCodes
    row = Verification.objects.create(
        clinic=clinic, channel=channel, address=address, expires_at=expires_at, language=language
    )
    _have_it_sent(row.pk)
    return row


def _have_it_sent(pk: uuid.UUID) -> None:
    from visits.online.tasks import send_code

    transaction.on_commit(lambda: send_code.delay(str(pk)), robust=True)


def deliver(verification: Verification) -> None:
    """Make the code and hand it to its channel. Asked for twice, it is sent once."""
    code = verification.make()
    if code is None:
        return
    with translation.override(verification.language):
        if verification.channel == Channel.SMS:
            words = _("%(clinic)s: your code is %(code)s. Do not give it to anybody.")
            text = in_gsm(words % {"clinic": verification.clinic.name, "code": code})
            sms.backend().send(to=verification.address, text=text, key=str(verification.pk))
        else:
            _mail(verification, code).send()


def _mail(verification: Verification, code: str) -> EmailMultiAlternatives:
    context = {
        "clinic": verification.clinic,
        "language": verification.language,
        "code": code,
        "headline": _("Your code"),
        "lead": _("Type it on the page on which you are booking. It works for five minutes, and once."),
        "warning": _("Do not give it to anybody. If you are not booking a visit, leave this message alone."),
    }
    mail = EmailMultiAlternatives(
        subject=render_to_string("emails/code-subject.txt", context).strip(),
        body=render_to_string("emails/code.txt", context),
        from_email=formataddr((verification.clinic.name, parseaddr(settings.DEFAULT_FROM_EMAIL)[1])),
        to=[verification.address],
        headers={"Auto-Submitted": "auto-generated", "Content-Language": verification.language},
    )
    mail.attach_alternative(render_to_string("emails/code.html", context), "text/html")
    return mail


def lock(pk: str) -> Verification:
    """The verification, its row locked for the rest of the transaction. Raises CodeEnded."""
    row = Verification.objects.select_for_update(of=("self",)).select_related("clinic").filter(pk=pk).first()
    if row is None or not row.is_live():
        raise CodeEnded
    return row


def use(row: Verification, code: str) -> bool:
    """Use up a locked verification if this is its code; else count the failure. Whether it was right."""
    return row.answer(row.is_right(code))


def forget_old(now: datetime | None = None) -> int:
    """Remove what has expired an hour ago; return how many."""
    removed, _by_model = Verification.objects.filter(expires_at__lt=(now or timezone.now()) - KEPT).delete()
    return removed


def _hash(text: str) -> str:
    """HMAC-SHA256 under a key derived from SECRET_KEY: a counter tells nothing."""
    return salted_hmac("online.code", text, algorithm="sha256").hexdigest()
