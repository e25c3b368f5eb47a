"""What the script of a page asks for before it asks the browser, and signing in with a passkey alone."""

from http import HTTPStatus
from typing import cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.audit.address import caller_network
from accounts.doors import public
from accounts.language import forget_switch
from accounts.limit import too_many
from accounts.login.steps import is_between_steps, next_step, remember_next
from accounts.login.stepup import is_fresh
from accounts.mfa import services as mfa
from accounts.models import User
from accounts.passkeys import services


@public
@require_POST
def options(request: HttpRequest) -> HttpResponse:
    """A challenge for a key: of who is signed in or about to be, else of anybody."""
    if too_many(f"passkey:{caller_network(request)}", times=60, seconds=60):
        return JsonResponse({}, status=HTTPStatus.TOO_MANY_REQUESTS)
    return JsonResponse(services.options_to_verify(request))


@public
@require_POST
def enrol_options(request: HttpRequest) -> HttpResponse:
    """A challenge for a new key: to who enrols the first factor, or gave one a moment ago."""
    first = is_between_steps(request) and not mfa.has_factor(cast(User, request.user))
    if not first and not is_fresh(request):
        raise PermissionDenied
    return JsonResponse(services.options_to_enrol(request))


@public
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """A passkey instead of e-mail, password and code."""
    wanted = request.POST.get("next", "")
    try:
        services.sign_in(request=request, answer=request.POST.get("credential", ""))
    except services.Refused:
        messages.error(request, _("That passkey did not work here. Sign in with your e-mail and password."))
        return redirect(f"{reverse('accounts:signin')}?{urlencode({'next': wanted})}")
    remember_next(request, wanted)
    response = redirect(next_step(request))
    forget_switch(response)
    return response
