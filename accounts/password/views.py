"""Choosing a new password: by a mailed link, or with the old one."""

import uuid
from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.audit.address import caller_network
from accounts.doors import for_verified, public
from accounts.limit import too_many
from accounts.login.forms import EmailForm
from accounts.models import User
from accounts.password import services
from accounts.password.forms import ChangePasswordForm, NewPasswordForm
from accounts.services import only_clinic


@public
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Mail a link; says the same whether there is such an account or not."""
    form = EmailForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/password_forgotten.html", {"form": form, "clinic": only_clinic()})
    email = form.cleaned_data["email"]
    account = salted_hmac("accounts.password", email, algorithm="sha256").hexdigest()
    address_busy = too_many(f"password-mail:{caller_network(request)}", times=20, seconds=3600)
    if not too_many(f"password-mail:{account}", times=3, seconds=3600) and not address_busy:
        services.ask_for_mail(request=request, email=email)
    return render(request, "accounts/password_mailed.html", {"clinic": only_clinic()})


@public
@sensitive_post_parameters("new")
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, pk: uuid.UUID, token: str) -> HttpResponse:
    """The mailed link: a GET (by a mail scanner) uses nothing up. Signs nobody in."""
    user = User.objects.filter(pk=pk).first()
    if user is None or not services.is_good(user, token):
        return render(request, "accounts/password_link_ended.html", {"clinic": only_clinic()}, status=410)
    form = NewPasswordForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        services.set_password(request=request, user=user, password=form.cleaned_data["new"], by="mail")
        messages.success(request, _("Your new password is set. Sign in with it."))
        return redirect("accounts:signin")
    return render(request, "accounts/password_choose.html", {"form": form, "account": user, "clinic": only_clinic()})


@for_verified
@sensitive_post_parameters("old", "new")
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest) -> HttpResponse:
    """Change one's own password; ends one's sessions elsewhere."""
    user = cast(User, request.user)
    if user.is_party:
        raise Http404  # patients have none
    busy = request.method == "POST" and too_many(f"password-change:{user.pk}", times=10, seconds=3600)
    form = ChangePasswordForm(None if busy else request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        services.set_password(request=request, user=user, password=form.cleaned_data["new"], by="self")
        update_session_auth_hash(request, user)
        messages.success(request, _("Your new password is set."))
        return redirect("home")
    return render(request, "accounts/password_change.html", {"form": form, "account": user, "busy": busy})
