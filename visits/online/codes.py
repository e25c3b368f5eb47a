"""Codes that prove an address on which somebody books: by e-mail, or by text message."""

import uuid
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import codes
from accounts.models import Clinic
from visits.booking.models import Hold
from visits.online.models import Verification
from visits.reminders.channels import sms
from visits.reminders.texts import in_gsm

Channel = Verification.Channel


def good_until() -> datetime:
    """When a code that is sent now expires: with the time that is kept meanwhile."""
    return timezone.now() + Hold.LASTS


def send(
    *, clinic: Clinic, channel: str, address: str, expires_at: datetime, language: str, request: HttpRequest
) -> Verification:
    """Have a code sent to ``address`` (e-mail, or phone in E.164). Raises accounts.codes.TooManyCodes.

    Whether the clinic knows the address makes no difference.
    """
    codes.count_sent(request=request, purpose="code", address=address.casefold())
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
            codes.mail(
                code=code,
                to=verification.address,
                clinic=verification.clinic,
                lead=_("Type it on the page on which you are booking. It works for five minutes, and once."),
                warning=_("Do not give it to anybody. If you are not booking a visit, leave this message alone."),
            )
