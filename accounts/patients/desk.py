"""The page of staff: the accounts of a patient and of who acts for them, what is done when a phone is lost, and the
end of one."""

import uuid
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_staff
from accounts.login.stepup import fresh_factor
from accounts.mfa.services import has_factor
from accounts.models import Patient, User
from accounts.patients import services
from accounts.patients.bearers import bearers_of
from accounts.patients.forms import LostFactorForm
from accounts.policy import Action
from accounts.proxies.access import patient_for


@dataclass(frozen=True)
class Shown:
    """An account as the page shows it: ``form`` asks how the desk made sure who lost the phone."""

    account: User
    has_factor: bool
    form: LostFactorForm


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.ACCOUNT_CHANGE)
def of_patient(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """POST ``do`` with ``account``, its id: "reset" takes the second factors away once the person was checked, "end"
    ends the account. For that the one who does it gives their own second factor, if it is not fresh."""
    patient = patient_for(request.principal, pk, Action.ACCOUNT_CHANGE)
    if request.method == "POST":
        return fresh_factor(_change)(request, patient)
    return _page(request, patient)


def _change(request: PrincipalRequest, patient: Patient) -> HttpResponse:
    wanted, do = request.POST.get("account"), request.POST.get("do")
    account = next((one for one in _accounts(patient) if str(one.pk) == wanted), None)
    if account is None or account.bearer is None:
        return redirect("accounts:patient-account", pk=patient.pk)
    if do == "end":
        if services.end_account(account.bearer, why="clinic", principal=request.principal, request=request):
            messages.success(request, _("The account is ended, and %(name)s is told by e-mail.") % _name(account))
        return redirect("accounts:patient-account", pk=patient.pk)
    form = _form(account, request)
    if do == "reset" and form.is_valid():
        services.reset_factors(request=request, principal=request.principal, account=account, said=form.cleaned_data)
        messages.success(
            request, _("The second factor is taken away, and %(name)s is told by e-mail.") % _name(account)
        )
        return redirect("accounts:patient-account", pk=patient.pk)
    return _page(request, patient, form)


def _accounts(patient: Patient) -> list[User]:
    """The patient's own, and those of who acts for them, while they are open."""
    found = [services.account_of(bearer) for bearer in bearers_of(patient)]
    return [account for account in found if account is not None]


def _form(account: User, request: PrincipalRequest | None = None) -> LostFactorForm:
    return LostFactorForm(request.POST if request else None, auto_id=f"id_{account.pk}_%s")


def _name(account: User) -> dict[str, str]:
    return {"name": account.shown_as}


def _page(request: PrincipalRequest, patient: Patient, bound: LostFactorForm | None = None) -> HttpResponse:
    record("account.view", Audit.READ, principal=request.principal, entity=patient, patient=patient, request=request)
    filled = request.POST.get("account") if bound else None
    shown = [
        Shown(account, has_factor(account), bound if bound and str(account.pk) == filled else _form(account))
        for account in _accounts(patient)
    ]
    return render(request, "accounts/patient_account.html", {"patient": patient, "shown": shown, "form": bound})
