"""Mail to whose account was made or ended: who did not do it themselves knows what to do."""

from enum import StrEnum

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.models import User


class Change(StrEnum):
    CLAIMED = "claimed"
    ENDED = "ended"


def tell(account: User, change: Change) -> None:
    """Have the mail sent by a worker, once the transaction is done."""
    from accounts.patients.tasks import mail_change

    transaction.on_commit(lambda: mail_change.delay(str(account.pk), str(change)), robust=True)


def mail(account: User, change: Change) -> None:
    """Say what became of the account, in its bearer's language; to nobody where the clinic has no address."""
    bearer = account.bearer
    if bearer is None or not bearer.email:
        return
    context = {
        "change": change,
        "clinic": bearer.clinic,
        "url": settings.BASE_URL + reverse("accounts:patient-signin"),
    }
    with translation.override(bearer.language):
        subject = render_to_string("emails/account-subject.txt", context).strip()
        body = render_to_string("emails/account.txt", context)
    send_mail(subject, body, None, [bearer.email])
