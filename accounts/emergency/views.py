"""In place of a record that one does not treat: why, and an hour."""

import uuid

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from accounts.doors import PrincipalRequest, for_staff
from accounts.emergency import services
from accounts.emergency.forms import ReasonForm
from accounts.login.stepup import fresh_factor
from accounts.models import Patient
from accounts.policy import Action


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.RECORD_EMERGENCY)
@fresh_factor
def open_record(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask why, then go on to ``next``. The page names nobody: who came here knows whose record they asked for."""
    patient = get_object_or_404(Patient, pk=pk, clinic=request.principal.clinic)
    way_on = _way_on(request)
    if services.is_open(request.principal, patient):
        return redirect(way_on)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.open_record(principal=request.principal, patient=patient, reason=form.cleaned_data["reason"])
        return redirect(way_on)
    return render(request, "accounts/emergency.html", {"form": form, "next": way_on, "nav": "today"})


def _way_on(request: PrincipalRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        asked, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return asked if is_ours else "/"
