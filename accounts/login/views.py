"""Signing in and out."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.doors import public
from accounts.language import forget_switch
from accounts.login import guessing, services
from accounts.login.forms import SignInForm
from accounts.login.steps import next_step, remember_next, sign_in_page
from accounts.services import only_clinic


@public
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """E-mail and password; then on to the second factor."""
    if request.method != "POST":
        if not request.user.is_authenticated:
            return _page(request, SignInForm())
        if not request.user.is_party:  # a page of staff would send a patient back here
            remember_next(request, request.GET.get("next", ""))
        return redirect(next_step(request))
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    email, password = form.cleaned_data["email"], form.cleaned_data["password"]
    counted = guessing.count(request, email)
    user = services.sign_in(request=request, email=email, password=password) if counted.is_checked else None
    if user is None and counted.seconds:
        return _locked_page(request, form, email, counted.seconds)
    if user is None:
        form.add_error(None, _("The e-mail or the password is not right. Check both and try again."))
        return _page(request, form)
    guessing.uncount(counted)
    remember_next(request, request.POST.get("next", ""))
    response = redirect(next_step(request))
    forget_switch(response)
    return response


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any]) -> HttpResponse:
    """What django-axes answers instead, once this account had too many wrong passwords from this address."""
    form = SignInForm(request.POST)
    form.is_valid()
    email = str((credentials or {}).get("email") or "")
    return _locked_page(request, form, email, round(settings.AXES_COOLOFF_TIME.total_seconds()))


def _locked_page(request: HttpRequest, form: SignInForm, email: str, seconds: int) -> HttpResponse:
    services.refuse(request, email, "user.lock")
    minutes = -(-seconds // 60)
    words = ngettext(
        "Too many wrong passwords. Wait %(count)d minute, or choose a new password.",
        "Too many wrong passwords. Wait %(count)d minutes, or choose a new password.",
        minutes,
    )
    form.add_error(None, words % {"count": minutes})
    return _page(request, form, status=429)


def _page(request: HttpRequest, form: SignInForm, status: int = 200) -> HttpResponse:
    wanted = request.POST.get("next") or request.GET.get("next", "")
    ended = "ended" in request.GET and not form.is_bound
    context = {"form": form, "next": wanted, "ended": ended, "clinic": only_clinic()}
    return render(request, "accounts/signin.html", context, status=status)


@public
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    page = sign_in_page(request.user)
    services.sign_out(request=request)
    return redirect(page)
