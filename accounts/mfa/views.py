"""The second step of signing in, enrolment, and recovery codes."""

from typing import cast

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.doors import for_verified, public
from accounts.login.services import home_clinic
from accounts.login.steps import belongs_somewhere, next_step
from accounts.login.stepup import fresh_factor
from accounts.mfa import qr, services
from accounts.mfa.forms import CodeForm, RecoveryCodeForm
from accounts.mfa.words import refusal
from accounts.models import User
from accounts.principal import verified_user

SESSION_KEY = "mfa_key"  # the TOTP key being enrolled: made for this sign-in, seen by nobody before
SESSION_CODES = "mfa_codes"  # new recovery codes, until the person says they are saved


@public
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The 6-digit code, or with ``?recovery`` a recovery code."""
    if not _is_between_steps(request) or services.totp_of(cast(User, request.user)) is None:
        return redirect(next_step(request))
    by_recovery = "recovery" in request.GET
    form: Form = (RecoveryCodeForm if by_recovery else CodeForm)(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _code_page(request, form, by_recovery)
    verify = services.verify_recovery if by_recovery else services.verify_totp
    try:
        device = verify(request=request, code=form.cleaned_data["code"])
    except (services.WrongCode, services.MustWait) as refused:
        form.add_error("code", refusal(refused, by_recovery))
        return _code_page(request, form, by_recovery)
    services.enter(request, device)
    if by_recovery:
        left = services.recovery_codes_left(cast(User, request.user))
        words = ngettext("You have %(count)d recovery code left.", "You have %(count)d recovery codes left.", left)
        messages.warning(request, words % {"count": left})
        return redirect("accounts:mfa-setup")
    return redirect(next_step(request))


def _code_page(request: HttpRequest, form: Form, by_recovery: bool) -> HttpResponse:
    device = services.totp_of(cast(User, request.user))
    context = {
        "form": form,
        "by_recovery": by_recovery,
        "issuer": device.name if device else "",
        "clinic": home_clinic(cast(User, request.user)),
    }
    return render(request, "accounts/mfa_code.html", context)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Enrol an authenticator app: for who has none, or came in with a recovery code."""
    replaces = request.user.is_authenticated and services.signed_in_by_recovery(request)
    if not replaces and (not _is_between_steps(request) or services.totp_of(cast(User, request.user))):
        return redirect(next_step(request))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and SESSION_KEY in request.session:
        try:
            device = services.enrol(request=request, key=request.session[SESSION_KEY], code=form.cleaned_data["code"])
        except services.WrongCode as wrong:
            form.add_error("code", refusal(wrong))
        except services.AlreadyEnrolled:
            return redirect(next_step(request))
        else:
            return _enrolled(request, device)
    return _setup_page(request, form, replaces)


def _setup_page(request: HttpRequest, form: CodeForm, replaces: bool) -> HttpResponse:
    key = request.session.setdefault(SESSION_KEY, services.new_key())
    secret = services.secret_for(cast(User, request.user), key)
    context = {
        "form": form,
        "secret": secret,
        "qr": qr.svg(secret.uri),
        "replaces": replaces,
        "clinic": home_clinic(cast(User, request.user)),
    }
    return render(request, "accounts/mfa_setup.html", context)


def _enrolled(request: HttpRequest, device: TOTPDevice) -> HttpResponse:
    services.enter(request, device)
    del request.session[SESSION_KEY]
    request.session[SESSION_CODES] = services.make_recovery_codes(request=request)
    return redirect("accounts:recovery-codes")


@for_verified
@require_http_methods(["GET", "HEAD", "POST"])
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New codes until they are saved; else how many are left, and a way to make new ones."""
    if SESSION_CODES in request.session:
        return _show_codes(request)
    if request.method == "POST":
        return _make_codes(request)
    context = {"left": services.recovery_codes_left(cast(User, request.user))}
    return render(request, "accounts/recovery_codes.html", context)


@fresh_factor
def _make_codes(request: HttpRequest) -> HttpResponse:
    request.session[SESSION_CODES] = services.make_recovery_codes(request=request)
    return redirect("accounts:recovery-codes")


def _show_codes(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and "saved" in request.POST:
        del request.session[SESSION_CODES]
        return redirect(next_step(request))
    context = {"codes": request.session[SESSION_CODES], "unsaved": request.method == "POST"}
    return render(request, "accounts/recovery_codes_new.html", context)


def _is_between_steps(request: HttpRequest) -> bool:
    """Whether the password is given, there is a clinic to enter, and the second factor is still to come."""
    user = cast(User, request.user)
    if not user.is_authenticated or services.has_lost_factor(request):
        return False
    return belongs_somewhere(user) and verified_user(user, request.session) is None
