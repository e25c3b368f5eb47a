"""The first step of signing in: e-mail and password. The second is in ``accounts.mfa``."""

from typing import cast

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest

from accounts.audit import services as audit
from accounts.models import AuditEvent, Clinic, Membership, User

Outcome = AuditEvent.Outcome


def sign_in(*, request: HttpRequest, email: str, password: str) -> User | None:
    """Check the password and put the user into a session with a new key; None when it is wrong.

    Says nothing of whether the account exists, and takes as long either way. django-axes counts
    failures and sets ``request.axes_locked_out``.
    """
    # By the name of the form's field, or django-axes would count all failures as nobody's.
    user = authenticate(request, email=email, password=password)
    if user is None:
        if not getattr(request, "axes_locked_out", False):
            refuse(request, email, "user.signin")
        return None
    with transaction.atomic():
        if request.user.is_authenticated:
            logout(request)  # with the second factor: both steps begin anew
        login(request, user)
        audit.record(
            "user.signin",
            AuditEvent.Action.EXECUTE,
            user=user,
            clinic=home_clinic(user),
            entity=user,
            request=request,
            detail={"step": "password"},
        )
    return user


def refuse(request: HttpRequest, email: str, subtype: str) -> None:
    """Record a refused sign-in; the account is what was tried, not who acted."""
    tried, clinic = account_of(email)
    audit.record(
        subtype,
        AuditEvent.Action.EXECUTE,
        clinic=clinic,
        entity=tried,
        outcome=Outcome.MINOR_FAILURE,
        request=request,
        detail={"account": "known" if tried else "unknown"},
    )


def account_of(email: str) -> tuple[User | None, Clinic | None]:
    """Whose account a typed e-mail is, and the clinic whose trail shows it; as much work when it is nobody's."""
    user = User.objects.at(email).first()
    memberships = Membership.objects.filter(user__in=User.objects.at(email), is_active=True)
    membership = memberships.select_related("clinic").first()
    return user, membership.clinic if membership else None


def sign_out(*, request: HttpRequest) -> None:
    """End the session, with all that was opened in it."""
    user = cast(User, request.user)
    if user.is_authenticated:
        audit.record(
            "user.signout",
            AuditEvent.Action.EXECUTE,
            user=user,
            clinic=home_clinic(user),
            entity=user,
            request=request,
        )
    logout(request)


def home_clinic(user: User) -> Clinic | None:
    """The clinic whose trail shows what a user does before they are in one; a patient's own."""
    if user.bearer is not None:
        return user.bearer.clinic
    membership = user.memberships.filter(is_active=True).select_related("clinic").first()
    return membership.clinic if membership else None
