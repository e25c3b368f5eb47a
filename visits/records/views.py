"""Staff's pages of whole records: find one, have a copy made and fetch it, hold, close, erase. Names go by POST."""

import uuid
from typing import Any

from babel.dates import format_date
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_staff
from accounts.language import page_language
from accounts.login.stepup import fresh_factor
from accounts.models import Patient
from accounts.policy import Action
from visits.booking import patients
from visits.records.access import record_for
from visits.records.errors import Erased, NotOpen, OnHold, RecordError, StillBooked, TooEarly
from visits.records.forms import CopyForm, EraseForm, HoldForm
from visits.records.models import RecordCopy
from visits.records.services import activity, copies, erasure, holds

State = RecordCopy.State
WORKING = (State.WAITING, State.MAKING)


@for_staff(Action.RECORD_EXPORT)
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: PrincipalRequest) -> HttpResponse:
    """Find a patient's record (POST ``q``); what patients ask for, copies that wait to be fetched or failed."""
    text = request.POST.get("q", "")[:200]
    found: list[Patient] = []
    with transaction.atomic():
        if text:
            found = patients.find(request.principal.clinic, text, with_inactive=True)
            patients.note_found(found, principal=request.principal, request=request)
        shown = list(copies.unfinished(request.principal.clinic)[:100])
        if shown:
            record(
                "record.list",
                Audit.READ,
                principal=request.principal,
                request=request,
                detail={"shown": len(shown)},
            )
    context = {
        "nav": "records",
        "q": text,
        "found": found,
        "asked": [copy for copy in shown if copy.state == State.ASKED],
        "failed": [copy for copy in shown if copy.state == State.FAILED],
        "ready": [copy for copy in shown if copy.state in (*WORKING, State.READY)],
    }
    return render(request, "records/index.html", context)


@for_staff(Action.RECORD_EXPORT)
@require_safe
def page(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """One patient's record: copies, legal holds, whether visits can be booked."""
    return _page(request, pk)


@for_staff(Action.RECORD_EXPORT)
@require_POST
@fresh_factor
def change(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """POST ``do``: ``copy``, ``hold``, ``close`` or ``open``."""
    patient = record_for(request.principal, pk, Action.RECORD_EXPORT)
    do = request.POST.get("do", "")
    copy_form = CopyForm(request.POST if do == "copy" else None)
    hold_form = HoldForm(request.POST if do == "hold" else None)
    said: str | None = None
    try:
        if copy_form.is_valid():
            copies.order(principal=request.principal, patient=patient, reason=copy_form.cleaned_data["reason"])
            said = _("The copy is being made.")
        elif hold_form.is_valid():
            holds.place(principal=request.principal, patient=patient, reason=hold_form.cleaned_data["reason"])
            said = _("The record is kept until somebody ends the hold.")
        elif do == "close":
            activity.deactivate(principal=request.principal, patient=patient)
            said = _("Nothing is booked for this patient any more, and their links open nothing.")
        elif do == "open":
            activity.reactivate(principal=request.principal, patient=patient)
            said = _("Visits can be booked for this patient again.")
    except RecordError as refusal:
        messages.error(request, refusal_words(refusal))
        return redirect("records:page", pk=pk)
    if said is None and not (copy_form.errors or hold_form.errors):
        raise PermissionDenied
    if said is None:
        return _page(request, pk, copy_form=copy_form, hold_form=hold_form)
    messages.success(request, said)
    return redirect("records:page", pk=pk)


@for_staff(Action.RECORD_EXPORT)
@require_safe
def copies_part(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The list of copies as it is now (htmx): asked for again and again while one is being made. Names nobody."""
    patient = record_for(request.principal, pk, Action.RECORD_EXPORT)
    return render(request, "records/_copies.html", _copies(patient))


@for_staff(Action.RECORD_EXPORT)
@require_POST
@fresh_factor
def download(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The copy, this once."""
    copy = copies.copy_for(request.principal, pk)
    try:
        file = copies.take(principal=request.principal, copy=copy)
    except NotOpen:
        messages.error(request, refusal_words(NotOpen()))
        return redirect("records:page", pk=copy.patient_id)
    return HttpResponse(
        file,
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="record.zip"', "Cache-Control": "no-store"},
    )


@for_staff(Action.RECORD_EXPORT)
@require_POST
def decline(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """No copy of what a patient asked for; whoever declines tells them why."""
    copy = copies.copy_for(request.principal, pk)
    try:
        copies.decline(principal=request.principal, copy=copy)
    except NotOpen:
        messages.error(request, refusal_words(NotOpen()))
    else:
        messages.success(request, _("Declined. Tell the patient why: the law gives them a right to a copy."))
    return redirect("records:page", pk=copy.patient_id)


@for_staff(Action.RECORD_ERASE)
@require_POST
@fresh_factor
def end_hold(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The record may be erased again, by the clinic's rules."""
    hold = holds.end(principal=request.principal, pk=pk)
    messages.success(request, _("The hold has ended."))
    return redirect("records:page", pk=hold.patient_id)


@for_staff(Action.RECORD_ERASE)
@require_http_methods(["GET", "HEAD", "POST"])
@fresh_factor
def erase(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """What would go, and what is in the way; POST with the last name erases."""
    patient = record_for(request.principal, pk, Action.RECORD_ERASE)
    form = EraseForm(request.POST if request.method == "POST" else None, wanted=patient.family_name)
    plan = erasure.plan(principal=request.principal, patient=patient)
    if plan.refusal is None and form.is_valid():
        try:
            erasure.erase(principal=request.principal, patient=patient)
        except RecordError as refusal:  # meanwhile
            messages.error(request, refusal_words(refusal))
            return redirect("records:erase", pk=pk)
        messages.success(request, _("Erased. Visits and the audit trail are kept without a name."))
        return redirect("records:page", pk=pk)
    _note_look(request, patient)
    context = {
        "nav": "records",
        "patient": patient,
        "plan": plan,
        "refusal": refusal_words(plan.refusal) if plan.refusal else "",
        "form": form,
    }
    return render(request, "records/erase.html", context)


def refusal_words(refusal: RecordError) -> str:
    """Why not, and what to do."""
    match refusal:
        case OnHold():
            return _("A legal hold keeps this record. Whoever ordered it has to end it first.")
        case StillBooked():
            return _("A visit is to come, or has not ended. Cancel or end it first.")
        case TooEarly():
            return _("There was care, so the record is kept until %(day)s.") % {
                "day": format_date(refusal.until, "long", locale=page_language())
            }
        case Erased():
            return _("This record is erased.")
        case NotOpen():
            return _("This copy was downloaded already, or is too old. Have a new one made.")
    raise refusal


def _page(request: PrincipalRequest, pk: uuid.UUID, **forms: Any) -> HttpResponse:
    patient = record_for(request.principal, pk, Action.RECORD_EXPORT)
    _note_look(request, patient)
    context = {
        "nav": "records",
        "patient": patient,
        "holds": list(holds.HOLDS.filter(patient=patient)),
        "may_erase": request.principal.may(Action.RECORD_ERASE),
        "copy_form": CopyForm(),
        "hold_form": HoldForm(),
        **_copies(patient),
        **forms,
    }
    return render(request, "records/page.html", context)


def _copies(patient: Patient) -> dict[str, Any]:
    found = list(copies.COPIES.filter(patient=patient)[:20])
    return {"patient_pk": patient.pk, "copies": found, "is_working": any(copy.state in WORKING for copy in found)}


def _note_look(request: PrincipalRequest, patient: Patient) -> None:
    record("record.view", Audit.READ, principal=request.principal, entity=patient, patient=patient, request=request)
