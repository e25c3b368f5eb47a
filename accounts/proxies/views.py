"""The pages of staff: who acts for a patient, a new grant, changing one, ending it."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_staff
from accounts.models import Patient, RelatedPerson
from accounts.policy import Action
from accounts.proxies import services
from accounts.proxies.access import grant_for, patient_for
from accounts.proxies.forms import GrantForm

REFUSALS = (services.AlreadyGranted, services.OwnGrant, services.OfAge, services.Ended)


@dataclass(frozen=True)
class Shown:
    """A grant as pages show it; ``days_left`` only where it ends soon."""

    person: RelatedPerson
    is_active: bool
    days_left: int | None

    @classmethod
    def of(cls, person: RelatedPerson) -> "Shown":
        return cls(person, person.is_active(), services.days_left(person))


@require_safe
@for_staff(Action.PROXY_SEE)
def people(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Who acts for the patient, and who did."""
    patient = patient_for(request.principal, pk, Action.PROXY_SEE)
    _note_look(request, patient)
    grants = RelatedPerson.objects.select_related("patient__clinic", "granted_by", "revoked_by").filter(patient=patient)
    shown = [Shown.of(person) for person in grants]
    context = {
        "patient": patient,
        "now": [one for one in shown if one.person.revoked_at is None],
        "before": [one for one in shown if one.person.revoked_at is not None],
        "may_change": request.principal.may(Action.PROXY_CHANGE),
        "is_minor": services.today_of(patient) < patient.of_age_on,
        "visit": _visit(request),
    }
    return render(request, "proxies/people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.PROXY_CHANGE)
def add(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Grant that somebody acts for the patient."""
    patient = patient_for(request.principal, pk, Action.PROXY_CHANGE)
    is_minor = services.today_of(patient) < patient.of_age_on
    initial = {"basis": "minor" if is_minor else "", "messages": "proxy" if is_minor else "both"}
    initial["language"] = patient.language
    form = GrantForm(request.POST or None, patient=patient, initial=initial)
    form.by = request.principal.user
    if request.method == "POST" and form.is_valid():
        try:
            person = services.grant(principal=request.principal, person=form.save(commit=False))
        except REFUSALS as refusal:
            form.refuse(refusal)
        else:
            words = _("%(name)s acts for %(patient)s now.") if person.is_active() else _("It is noted.")
            messages.success(request, words % {"name": person.full_name, "patient": patient.full_name})
            return _to_people(request, patient)
    return _form_page(request, patient, form)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.PROXY_CHANGE)
def change(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Change one grant; of one that was ended nothing changes."""
    person = grant_for(request.principal, pk, Action.PROXY_CHANGE)
    form = GrantForm(request.POST or None, instance=person)
    form.by = request.principal.user
    if request.method == "POST" and form.is_valid():
        try:
            services.change(principal=request.principal, person=form.save(commit=False))
        except REFUSALS as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, _("The change is saved."))
            return _to_people(request, person.patient)
    return _form_page(request, person.patient, form, person=person)


@require_POST
@for_staff(Action.PROXY_CHANGE)
def end(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """End one grant now."""
    person = grant_for(request.principal, pk, Action.PROXY_CHANGE)
    services.end(principal=request.principal, person=person)
    words = _("%(name)s does not act for %(patient)s any more. Their links are ended.")
    messages.success(request, words % {"name": person.full_name, "patient": person.patient.full_name})
    return _to_people(request, person.patient)


def _visit(request: PrincipalRequest) -> uuid.UUID | None:
    """From whose page they came, and go back: it stays in the address of each of these pages."""
    try:
        return uuid.UUID(request.GET.get("visit", ""))
    except ValueError:
        return None


def _to_people(request: PrincipalRequest, patient: Patient) -> HttpResponse:
    return redirect(reverse("accounts:proxies", args=[patient.pk], query=request.GET))


def _note_look(request: PrincipalRequest, patient: Patient) -> None:
    record("proxy.view", Audit.READ, principal=request.principal, entity=patient, patient=patient, request=request)


def _form_page(request: PrincipalRequest, patient: Patient, form: GrantForm, **context: Any) -> HttpResponse:
    _note_look(request, patient)
    page = {"patient": patient, "form": form, "of_age_on": patient.of_age_on, **context}
    return render(request, "proxies/grant.html", page)
