"""Mail to a person whose way to sign in changed, so that whoever did not do it knows what to do. ASVS 5.0, 6.3.7."""

from enum import StrEnum

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.keys.sealing import open_, seal
from accounts.login.services import home_clinic
from accounts.mfa.kinds import Kind
from accounts.models import User


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CODES_MADE = "codes-made"
    CODE_USED = "code-used"
    RESET = "reset"
    ADDRESS = "address"
    PASSWORD = "password"  # noqa: S105 - a word of ours


def tell(user: User, change: Change, kind: Kind = Kind.RECOVERY_CODES) -> None:
    """Have the mail sent by a worker, once the transaction is done."""
    _have_mailed(str(user.pk), str(change), str(kind))


def tell_old_address(user: User, address: str) -> None:
    """The same of a changed address, to the one of before, which waits for the worker sealed."""
    if address:
        _have_mailed(str(user.pk), str(Change.ADDRESS), str(Kind.RECOVERY_CODES), seal(address, _place(user)))


def _have_mailed(*given: str) -> None:
    from accounts.mfa.tasks import mail_change

    transaction.on_commit(lambda: mail_change.delay(*given), robust=True)


def _place(user: User) -> str:
    return f"mfa.notices:{user.pk}"


def mail(user: User, change: Change, kind: Kind, sealed: str = "") -> None:
    """Say what changed, in the person's language; no secret, and no name of a device.

    ``sealed``: the address to write to, where it is not the one of now.
    """
    context = {
        "change": change,
        "kind": kind,
        "clinic": home_clinic(user),
        "url": settings.BASE_URL + reverse("accounts:password-forgotten"),
        "is_patient": user.is_party,
    }
    with translation.override(user.language):
        subject = render_to_string("emails/factor-subject.txt", context).strip()
        body = render_to_string("emails/factor.txt", context)
    send_mail(subject, body, None, [open_(sealed, _place(user)) if sealed else user.address])
