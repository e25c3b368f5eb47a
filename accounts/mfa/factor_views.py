"""The page of one's own second factors, and what can be done there."""

from typing import cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.doors import for_verified
from accounts.login.services import home_clinic
from accounts.login.stepup import fresh_factor
from accounts.mfa import factors, qr, services
from accounts.mfa.forms import CodeForm
from accounts.mfa.views import SESSION_KEY
from accounts.mfa.words import passkey_refusal, refusal
from accounts.models import User
from accounts.models.totp import new_key
from accounts.passkeys import services as passkeys


class NameForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("So that you know it again, for example “Work phone”."),
        max_length=64,
        error_messages={"required": gettext_lazy("Enter a name.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@for_verified
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    if not services.has_factor(user):
        return redirect("accounts:mfa-setup")  # a patient's first one
    context = {
        "factors": factors.factors_of(user),
        "has_passkey": services.has_passkey(user),
        "codes_left": services.recovery_codes_left(user),
        "clinic": home_clinic(user),
    }
    return render(request, "accounts/factors.html", context)


@for_verified
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def add_phone(request: HttpRequest) -> HttpResponse:
    """Another authenticator app."""
    user = cast(User, request.user)
    key = request.session.setdefault(SESSION_KEY, new_key())
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.enrol(request=request, key=key, code=form.cleaned_data["code"])
        except services.WrongCode as wrong:
            form.add_error("code", refusal(wrong))
        else:
            del request.session[SESSION_KEY]
            messages.success(request, _("Your authenticator app is added. You are signed out everywhere else."))
            return redirect("accounts:factors")
    secret = services.secret_for(user, key)
    context = {"form": form, "secret": secret, "qr": qr.svg(secret.uri), "clinic": home_clinic(user)}
    return render(request, "accounts/factor_phone.html", context)


@for_verified
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def add_passkey(request: HttpRequest) -> HttpResponse:
    """A passkey or security key."""
    form = NameForm(request.POST or None)
    form.fields["name"].required = False
    if request.method == "POST" and form.is_valid():
        answer, name = request.POST.get("credential", ""), form.cleaned_data["name"]
        try:
            passkeys.enrol(request=request, answer=answer, name=name)
        except passkeys.Refused:
            form.add_error(None, passkey_refusal())
        else:
            words = _("Your passkey is added. Use it the next time you sign in. You are signed out everywhere else.")
            messages.success(request, words)
            return redirect("accounts:factors")
    context = {"form": form, "clinic": home_clinic(cast(User, request.user))}
    return render(request, "accounts/factor_passkey.html", context)


@for_verified
@fresh_factor
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, key: str) -> HttpResponse:
    """Rename one, or remove it (POST ``remove``)."""
    user = cast(User, request.user)
    factor = factors.find(user, key)
    if factor is None:
        raise Http404
    if "remove" in request.POST:
        return _remove(request, factor)
    form = NameForm(request.POST or None, initial={"name": factor.name})
    if request.method == "POST" and form.is_valid():
        factors.rename(request=request, factor=factor, name=form.cleaned_data["name"])
        messages.success(request, _("The name is saved."))
        return redirect("accounts:factors")
    is_last = len(factors.factors_of(user)) == 1 and not factors.may_do_without(user)
    context = {"form": form, "factor": factor, "is_last": is_last, "clinic": home_clinic(user)}
    return render(request, "accounts/factor.html", context)


def _remove(request: HttpRequest, factor: factors.Factor) -> HttpResponse:
    try:
        factors.remove(request=request, factor=factor)
    except factors.LastFactor:
        messages.error(request, _("This is your only second factor. Add another one first."))
    else:
        messages.success(request, _("It is removed. You are signed out everywhere else."))
    return redirect("accounts:factors")
