"""Mail to whose account was made or ended, or whose address changed: who did not do it themselves knows what to do."""

from enum import StrEnum

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.keys.sealing import open_, seal
from accounts.models import Clinic, User
from accounts.patients.bearers import Bearer


class Change(StrEnum):
    CLAIMED = "claimed"
    ENDED = "ended"
    ADDRESS = "address"


def tell(account: User, change: Change) -> None:
    """Have the mail sent by a worker, once the transaction is done."""
    from accounts.patients.tasks import mail_change

    transaction.on_commit(lambda: mail_change.delay(str(account.pk), str(change)), robust=True)


def tell_old_address(bearer: Bearer, address: str) -> None:
    """The same of an address that the clinic writes to no more, to that one, which waits for the worker sealed."""
    from accounts.patients.tasks import mail_old_address

    if address:
        given = str(bearer.clinic.pk), bearer.language, seal(address, _place(bearer.clinic))
        transaction.on_commit(lambda: mail_old_address.delay(*given), robust=True)


def mail(account: User, change: Change) -> None:
    """Say what became of the account, in its bearer's language; to nobody where the clinic has no address."""
    bearer = account.bearer
    if bearer is not None and bearer.email:
        _mail(bearer.email, change, bearer.clinic, bearer.language)


def mail_to_old_address(clinic: Clinic, language: str, sealed: str) -> None:
    """Say that nothing comes to this address any more, and whom to call; it names nobody, whoever reads it now."""
    _mail(open_(sealed, _place(clinic)), Change.ADDRESS, clinic, language)


def _mail(address: str, change: Change, clinic: Clinic, language: str) -> None:
    context = {"change": change, "clinic": clinic, "url": settings.BASE_URL + reverse("accounts:patient-signin")}
    with translation.override(language):
        subject = render_to_string("emails/account-subject.txt", context).strip()
        body = render_to_string("emails/account.txt", context)
    send_mail(subject, body, None, [address])


def _place(clinic: Clinic) -> str:
    return f"patients.notices:{clinic.pk}"
