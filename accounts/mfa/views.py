"""The second step of signing in, enrolment, and recovery codes."""

from typing import cast

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from django_otp.models import Device

from accounts.doors import for_verified, public
from accounts.login.services import home_clinic
from accounts.login.steps import is_between_steps, next_step, sign_in_anew
from accounts.login.stepup import fresh_factor
from accounts.mfa import qr, services
from accounts.mfa.factors import may_do_without
from accounts.mfa.forms import CodeForm, RecoveryCodeForm
from accounts.mfa.words import passkey_refusal, refusal
from accounts.models import User
from accounts.models.totp import new_key
from accounts.passkeys import services as passkeys

SESSION_KEY = "mfa_key"  # the TOTP key being enrolled: made for this sign-in, seen by nobody before
SESSION_CODES = "mfa_codes"  # new recovery codes, until the person says they are saved


@public
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The second factor: a passkey or the 6-digit code, or with ``?recovery`` a recovery code."""
    if not is_between_steps(request) or not services.has_factor(cast(User, request.user)):
        return redirect(next_step(request))
    if "credential" in request.POST:
        return _by_passkey(request)
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


def _by_passkey(request: HttpRequest) -> HttpResponse:
    try:
        device = passkeys.verify(request=request, answer=request.POST["credential"])
    except passkeys.Refused:
        messages.error(request, passkey_refusal())
        return redirect("accounts:mfa-code")
    services.enter(request, device)
    return redirect(next_step(request))


def _code_page(request: HttpRequest, form: Form, by_recovery: bool) -> HttpResponse:
    user = cast(User, request.user)
    context = {
        "form": form,
        "by_recovery": by_recovery,
        "has_phone": services.totp_of(user) is not None,
        "has_passkey": services.has_passkey(user),
        "issuer": services.issuer_for(user),
        "clinic": home_clinic(user),
    }
    return render(request, "accounts/mfa_code.html", context)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Enrol a passkey or an authenticator app: for who has none, or came in with a recovery code a moment ago."""
    if request.user.is_authenticated and services.signed_in_by_recovery(request):
        return fresh_factor(_setup)(request, True)
    if not is_between_steps(request) or services.has_factor(cast(User, request.user)):
        return redirect(next_step(request))
    if services.must_sign_in_anew(request):
        return redirect(sign_in_anew(request.path))
    return _setup(request, False)


def _setup(request: HttpRequest, replaces: bool) -> HttpResponse:
    form = CodeForm(request.POST if "code" in request.POST else None)
    try:
        if "credential" in request.POST:
            answer = request.POST["credential"]
            return _enrolled(request, passkeys.enrol(request=request, answer=answer, replaces=replaces))
        if form.is_valid() and SESSION_KEY in request.session:
            key, code = request.session[SESSION_KEY], form.cleaned_data["code"]
            return _enrolled(request, services.enrol(request=request, key=key, code=code, replaces=replaces))
    except services.WrongCode as wrong:
        form.add_error("code", refusal(wrong))
    except passkeys.Refused:
        messages.error(request, passkey_refusal())
    except services.AlreadyEnrolled:
        return redirect(next_step(request))
    except services.SignInAnew:
        return redirect(sign_in_anew(request.path))
    return _setup_page(request, form, replaces)


def _setup_page(request: HttpRequest, form: CodeForm, replaces: bool) -> HttpResponse:
    key = request.session.setdefault(SESSION_KEY, new_key())
    secret = services.secret_for(cast(User, request.user), key)
    context = {
        "form": form,
        "secret": secret,
        "qr": qr.svg(secret.uri),
        "replaces": replaces,
        "needed": not may_do_without(cast(User, request.user)),
        "clinic": home_clinic(cast(User, request.user)),
    }
    return render(request, "accounts/mfa_setup.html", context)


def _enrolled(request: HttpRequest, device: Device) -> HttpResponse:
    services.enter(request, device)
    request.session.pop(SESSION_KEY, None)
    request.session[SESSION_CODES] = services.make_recovery_codes(request=request)
    return redirect("accounts:recovery-codes")


@for_verified
@require_http_methods(["GET", "HEAD", "POST"])
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New codes until they are saved; else how many are left, and a way to make new ones."""
    if SESSION_CODES in request.session:
        return _show_codes(request)
    if not services.has_factor(cast(User, request.user)):
        return redirect("accounts:mfa-setup")
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
