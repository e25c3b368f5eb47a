"""The mailed link of an invitation. Reading it (a mail scanner does) uses nothing up: only a POST accepts."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.doors import public
from accounts.invitations import services
from accounts.language import speak
from accounts.login.services import sign_out
from accounts.login.steps import next_step, remember_next
from accounts.models import Invitation, User
from accounts.password.forms import NewPasswordForm
from accounts.policy import Role
from accounts.principal import verified_user
from accounts.services import only_clinic


@public
@sensitive_post_parameters("new")
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a password, or sign in and join. The page is the same whether the address has an account or not."""
    invitation = services.find(token)
    if invitation is None or not invitation.is_open:
        return _ended(request, invitation)
    if not request.user.is_authenticated:
        speak(request, invitation.language)
    user = verified_user(request.user, request.session)
    try:
        if user is not None and user.email.lower() == invitation.email:
            return _join(request, invitation, token, user)
        if request.POST.get("do") == "sign-in":
            return _to_sign_in(request, invitation, back=True)
        return _choose_password(request, invitation, token)
    except services.Ended:
        return _ended(request, services.find(token))


def _join(request: HttpRequest, invitation: Invitation, token: str, user: User) -> HttpResponse:
    if request.method != "POST":
        return render(request, "accounts/invitation_join.html", _context(invitation))
    services.join(request=request, token=token, user=user)
    return redirect("home")


def _choose_password(request: HttpRequest, invitation: Invitation, token: str) -> HttpResponse:
    form = NewPasswordForm(request.POST or None, user=User(email=invitation.email, name=invitation.name))
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/invitation.html", {**_context(invitation), "form": form})
    is_new = services.accept(request=request, token=token, password=form.cleaned_data["new"])
    response = _to_sign_in(request, invitation, back=not is_new)
    words = _("Now sign in. If you had an account with this address before, its password is as it was.")
    messages.success(request, words)
    return response


def _to_sign_in(request: HttpRequest, invitation: Invitation, *, back: bool) -> HttpResponse:
    """On to the sign-in page, and ``back`` from there; whoever else is signed in here is signed out."""
    if request.user.is_authenticated and request.user.email.lower() != invitation.email:
        sign_out(request=request)
    if back:
        remember_next(request, request.path)
    return redirect(next_step(request))


def _context(invitation: Invitation) -> dict[str, object]:
    return {"invitation": invitation, "clinic": invitation.clinic, "role": Role(invitation.role)}


def _ended(request: HttpRequest, invitation: Invitation | None) -> HttpResponse:
    """The same page whatever has ended it, also for one that never was."""
    if invitation is not None and request.method == "POST":
        services.record_ended(request, invitation)
    return render(request, "accounts/invitation_ended.html", {"clinic": only_clinic()}, status=410)
