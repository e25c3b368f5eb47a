"""The patient's way from the link to the waiting room."""

import uuid
from contextlib import suppress
from typing import Any, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.doors import PrincipalRequest, for_party
from accounts.language import page_language
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.checkin import services, wording
from visits.checkin.forms import FACTS, DetailsForm, DevicesForm
from visits.checkin.models import Consent, ConsentText
from visits.checkin.services import Step
from visits.schedule.models import VisitType

PAGES = {
    Step.DETAILS: "checkin:details",
    Step.QUESTIONS: "intake:questions",
    Step.DEVICES: "checkin:devices",
    Step.WAITING: "waiting:room",
}


@require_GET
@for_party
def start(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Where a redeemed link leads: the first step that is still open; of a visit by phone, its own page."""
    principal = _principal(request)
    joins = principal.may(Action.VISIT_WAIT)
    visit = appointment_for(principal, pk, Action.VISIT_WAIT if joins else Action.VISIT_CHECK_IN)
    if visit.mode == VisitType.Mode.PHONE and principal.may(Action.VISIT_CHANGE_OWN):
        return redirect("online:visit", pk=pk)
    step = services.next_step(visit, principal) if _takes_answers(visit) else Step.WAITING
    if step in {Step.DEVICES, Step.WAITING} and not joins:
        return redirect("online:visit", pk=pk)
    return redirect(PAGES[step], pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def details(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Details and consent on one page. ``change`` in a POST opens one fact for typing and saves nothing.

    A visit by phone asks for neither: its own page has all there is.
    """
    principal = _principal(request)
    visit = appointment_for(principal, pk, Action.VISIT_CHECK_IN)
    if visit.mode == VisitType.Mode.PHONE:
        return redirect("online:visit", pk=pk)
    if not _takes_answers(visit):
        return redirect("waiting:room", pk=pk)
    given = Consent.objects.select_related("text").filter(appointment=visit).first()
    text = None if given else services.consent_text(visit.clinic, page_language())
    texts = ConsentText.objects.filter(clinic=visit.clinic) if text else None
    answers = services.details_to_start_from(visit)
    sees_past = principal.may(Action.PAST_SEE)
    initial = {name: getattr(answers, name) for name in FACTS} if sees_past else {"callback_phone": visit.patient.phone}
    asked = request.POST.get("change", "")
    text_changed = False
    if request.method == "POST" and not asked:
        form = DetailsForm(request.POST, texts=texts)
        if form.is_valid():
            try:
                _save(principal, visit, form.cleaned_data)
                return redirect("checkin:start", pk=pk)
            except services.ConsentTextChanged:
                text_changed = True
            except services.VisitClosed:
                return redirect("waiting:room", pk=pk)
    else:
        typed = {name: request.POST[name] for name in FACTS if name in request.POST}
        form = DetailsForm(initial=initial | typed | {"agree": "agree" in request.POST}, texts=texts)
    context = {
        "visit": visit,
        "step": Step.DETAILS,
        "form": form,
        "facts": [(form[name], _is_settled(form, name) and name != asked) for name in FACTS],
        "asked": asked,
        "given": given,
        "text": text,
        "text_changed": text_changed,
        "is_kept_back": bool(answers.location) and not sees_past,
        "is_early": timezone.now() < services.line_opens_at(visit),
    }
    return render(request, "checkin/details.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def devices(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Camera and sound. POST records how it went: by the page's script (204) or by the form, which goes on."""
    principal = _principal(request)
    visit = appointment_for(principal, pk, Action.VISIT_WAIT)
    if not _takes_answers(visit):
        return redirect("waiting:room", pk=pk)
    if services.next_step(visit, principal) == Step.DETAILS:
        return redirect("checkin:details", pk=pk)
    if request.method == "POST":
        by_script = request.headers.get("Accept") == "application/json"
        form = DevicesForm(request.POST)
        if not form.is_valid():
            return HttpResponse(status=400)
        # Closed meanwhile: the next page says so.
        with suppress(services.VisitClosed):
            services.record_devices(principal=principal, visit=visit, **form.cleaned_data)
        return HttpResponse(status=204) if by_script else redirect("waiting:room", pk=pk)
    context = {
        "visit": visit,
        "step": Step.DEVICES,
        "camera_words": wording.CAMERA,
        "microphone_words": wording.MICROPHONE,
    }
    return render(request, "checkin/devices.html", context)


def _save(principal: Principal, visit: Appointment, answers: dict[str, Any]) -> None:
    with transaction.atomic():
        services.save_details(principal=principal, visit=visit, **{name: answers[name] for name in FACTS})
        if answers.get("agree"):
            if answers["text"] is None:
                raise services.ConsentTextChanged
            services.give_consent(principal=principal, visit=visit, text=answers["text"])


def _is_settled(form: DetailsForm, name: str) -> bool:
    """Whether the fact can be shown as a fact: there is one, and nothing is wrong with it."""
    return bool(form[name].value()) and not form[name].errors


def _takes_answers(visit: Appointment) -> bool:
    return visit.is_open or visit.status == Appointment.Status.NOSHOW


def _principal(request: HttpRequest) -> Principal:
    return cast(PrincipalRequest, request).principal
