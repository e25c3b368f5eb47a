"""Where somebody who is signing in goes next."""

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from accounts.mfa import services as mfa
from accounts.models import Invitation, Membership, User
from accounts.models.invitation import State
from accounts.principal import account_principal, verified_user

SESSION_NEXT = "next"


def remember_next(request: HttpRequest, url: str) -> None:
    """Keep where they wanted to go, if it is a page of ours."""
    if url_has_allowed_host_and_scheme(url, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        request.session[SESSION_NEXT] = url


def next_step(request: HttpRequest) -> str:
    """The URL of the step that is still missing, or of the page they wanted; begins anew who lost the second factor."""
    page = sign_in_page(request.user)
    if request.user.is_authenticated and mfa.has_lost_factor(request):
        logout(request)
    user = request.user
    if not user.is_authenticated:
        return resolve_url(page)
    if user.is_party and account_principal(user, request.session):
        return str(request.session.pop(SESSION_NEXT, "") or resolve_url(settings.PATIENT_HOME))
    if not may_enter(user):
        return resolve_url("accounts:no-clinic")
    if verified_user(user, request.session):
        return str(request.session.pop(SESSION_NEXT, "") or resolve_url("home"))
    return resolve_url("accounts:mfa-code" if mfa.has_factor(user) else "accounts:mfa-setup")


def sign_in_anew(url: str) -> str:
    """Where a patient who is signed in gets a new code before they go on at ``url``."""
    return f"{resolve_url('accounts:patient-signin')}?{urlencode({'anew': 'yes', SESSION_NEXT: url})}"


def sign_in_page(user: Any) -> str:
    """Where this person signs in."""
    return "accounts:patient-signin" if getattr(user, "is_party", False) else settings.LOGOUT_REDIRECT_URL


def belongs_somewhere(user: User) -> bool:
    """Whether there is anything here for them: a clinic, or the admin of all; for patients their own visits."""
    if user.is_party:
        return user.opens_visits()
    if user.is_superuser and user.is_staff:
        return True
    return Membership.objects.filter(user=user, is_active=True).exists()


def may_enter(user: User) -> bool:
    """Whether they belong somewhere, or are invited to."""
    return belongs_somewhere(user) or Invitation.objects.in_state(State.OPEN).filter(email=user.email.lower()).exists()


def is_between_steps(request: HttpRequest) -> bool:
    """Whether the password is given, there is a clinic to enter, and the second factor is still to come."""
    user = request.user
    if not user.is_authenticated or mfa.has_lost_factor(request):
        return False
    return may_enter(user) and verified_user(user, request.session) is None
