"""What staff do with a message, from wherever they see it."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.doors import PrincipalRequest, for_staff
from accounts.policy import Action
from visits.reminders import services
from visits.reminders.models import Communication


@for_staff(Action.VISIT_CHANGE)
@require_POST
def again(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Plan one more copy and go back to the page that asked (``next``)."""
    communication = get_object_or_404(Communication, pk=pk)
    try:
        services.resend(principal=request.principal, communication=communication)
        messages.success(request, _("The message is on its way."))
    except services.NothingToSay as nothing:
        messages.warning(request, _("Not sent: %(reason)s.") % {"reason": nothing.reason.label})
    return _back(request)


@for_staff(Action.VISIT_CHANGE)
@require_POST
def arrived(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Note that a message that perhaps went out did arrive, and go back."""
    communication = get_object_or_404(Communication, pk=pk)
    services.settle(principal=request.principal, communication=communication)
    return _back(request)


def _back(request: PrincipalRequest) -> HttpResponse:
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if is_ours else "home")
