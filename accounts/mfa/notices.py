"""Mail to a person whose second factors changed: who did not do it themselves knows what to do."""

from enum import StrEnum

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.login.services import home_clinic
from accounts.mfa.kinds import Kind
from accounts.models import User


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CODES_MADE = "codes-made"
    CODE_USED = "code-used"
    RESET = "reset"


def tell(user: User, change: Change, kind: Kind = Kind.RECOVERY_CODES) -> None:
    """Have the mail sent by a worker, once the transaction is done."""
    from accounts.mfa.tasks import mail_change

    transaction.on_commit(lambda: mail_change.delay(str(user.pk), str(change), str(kind)), robust=True)


def mail(user: User, change: Change, kind: Kind) -> None:
    """Say what changed, in the person's language; no secret, and no name of a device."""
    context = {
        "change": change,
        "kind": kind,
        "clinic": home_clinic(user),
        "url": settings.BASE_URL + reverse("accounts:password-forgotten"),
        "is_patient": user.patient is not None,
    }
    with translation.override(user.language):
        subject = render_to_string("emails/factor-subject.txt", context).strip()
        body = render_to_string("emails/factor.txt", context)
    send_mail(subject, body, None, [user.address])
