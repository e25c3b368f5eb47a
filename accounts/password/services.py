"""Choosing a new password: by a mailed link, or with the old one.

A mailed link opens no session and replaces no second factor (ASVS 6.4.3).
"""

import uuid
from typing import cast

from axes.utils import reset as unlock
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from accounts.audit import services as audit
from accounts.login import guessing
from accounts.login.services import account_of, home_clinic
from accounts.mfa.notices import Change, tell
from accounts.models import AuditEvent, User
from accounts.sessions import services as sessions
from accounts.sessions.store import SessionStore


def request_mail(user: User) -> None:
    """Have the link mailed by a worker, once the transaction is done."""
    from accounts.password.tasks import mail_link

    transaction.on_commit(lambda: mail_link.delay(str(user.pk)), robust=True)


def ask_for_mail(*, request: HttpRequest, email: str) -> None:
    """Somebody, perhaps a stranger, asks for the link at the sign-in page.

    The same work whether there is such an account or not, so that the time it takes tells nothing; only the worker
    finds that there is nobody to write to.
    """
    from accounts.password.tasks import mail_link

    user, clinic = account_of(email)
    with transaction.atomic():
        audit.record(
            "user.password-mail",
            AuditEvent.Action.EXECUTE,
            clinic=clinic,
            entity=user,
            request=request,
            detail={"by": "sign-in page", "account": "known" if user else "unknown"},
        )
        asked = str(user.pk if user else uuid.uuid4())
        transaction.on_commit(lambda: mail_link.delay(asked), robust=True)


def mail_link(user: User) -> None:
    """Send ``user`` a link for choosing a password: good for a day, and until one was chosen."""
    path = reverse(
        "accounts:password-choose", kwargs={"pk": user.pk, "token": default_token_generator.make_token(user)}
    )
    context = {"user": user, "url": settings.BASE_URL + path, "clinic": home_clinic(user)}
    with translation.override(user.language):
        subject = render_to_string("emails/password-subject.txt", context).strip()
        body = render_to_string("emails/password.txt", context)
    send_mail(subject, body, None, [user.email])


def is_good(user: User, token: str) -> bool:
    return user.is_active and default_token_generator.check_token(user, token)


def set_password(*, request: HttpRequest, user: User, password: str, by: str) -> None:
    """Set a password that was validated; ends all of the user's sessions, but for one that changes its own (``by``
    "self"), and django-axes' lock."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        unlock(username=guessing.hashed(user.email))
        tell(user, Change.PASSWORD)
        own = cast(SessionStore, request.session) if by == "self" else None
        sessions.end_all(user, why="password", but=own, request=request)
        audit.record(
            "user.password",
            AuditEvent.Action.UPDATE,
            user=user,
            clinic=home_clinic(user),
            entity=user,
            request=request,
            detail={"by": by},
        )
