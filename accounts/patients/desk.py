"""The page of staff: whether a patient has an account, what is done when a phone is lost, and the account's end."""

import uuid

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
from accounts.models import Patient
from accounts.patients import services
from accounts.patients.forms import LostFactorForm
from accounts.policy import Action
from accounts.proxies.access import patient_for


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.ACCOUNT_CHANGE)
def of_patient(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """POST ``do``: "reset" takes the second factors away once the person was checked, "end" ends the account. For that
    the one who does it gives their own second factor, if it is not fresh."""
    patient = patient_for(request.principal, pk, Action.ACCOUNT_CHANGE)
    if request.method == "POST":
        return fresh_factor(_change)(request, patient)
    return _page(request, patient, LostFactorForm())


def _change(request: PrincipalRequest, patient: Patient) -> HttpResponse:
    account, do = services.account_of(patient), request.POST.get("do")
    form = LostFactorForm(request.POST if do == "reset" else None)
    if do == "end":
        if services.end(patient, why="clinic", principal=request.principal, request=request):
            messages.success(request, _("The account is ended, and the patient is told by e-mail."))
        return redirect("accounts:patient-account", pk=patient.pk)
    if do == "reset" and account is not None and form.is_valid():
        services.reset_factors(request=request, principal=request.principal, account=account, said=form.cleaned_data)
        messages.success(request, _("The second factor is taken away, and the patient is told by e-mail."))
        return redirect("accounts:patient-account", pk=patient.pk)
    return _page(request, patient, form)


def _page(request: PrincipalRequest, patient: Patient, form: LostFactorForm) -> HttpResponse:
    account = services.account_of(patient)
    record("account.view", Audit.READ, principal=request.principal, entity=patient, patient=patient, request=request)
    context = {
        "patient": patient,
        "account": account,
        "has_factor": account is not None and has_factor(account),
        "form": form,
    }
    return render(request, "accounts/patient_account.html", context)
