"""The pages behind the links in mails. Reading one (a mail scanner does) changes nothing: only a POST does."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.doors import public
from accounts.language import speak
from accounts.links.views import unknown
from accounts.models import Patient, RelatedPerson
from visits.booking.models import Appointment
from visits.reminders import links
from visits.reminders.models import Communication
from visits.reminders.services import answering, preferences
from visits.schedule.moment import of_page


@public
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """The patient says that they come, or cancels. Opens nothing else, and signs nobody in."""
    message = _message(token)
    if message is None:
        return unknown(request)
    speak(request, message.recipient.language)
    if request.method == "POST":
        return _do(request, message, request.POST.get("answer", ""))
    return _page(request, message)


@csrf_exempt  # RFC 8058 §3.2: mail programs send this without cookies; the token is all that it needs
@public
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """End what the patient may do without by one channel, or bring it back."""
    try:
        pk, channel = links.stopped(token)
    except links.UnknownToken:
        return unknown(request)
    recipient = _recipient(pk)
    if recipient is None:
        return unknown(request)
    speak(request, recipient.language)
    if request.method == "POST":
        change = preferences.opt_in if request.POST.get("again") else preferences.opt_out
        change(recipient, channel)
    known = preferences.of(recipient, channel)
    is_out = known is not None and known.opted_out_at is not None
    return render(request, "reminders/stop.html", {"clinic": recipient.clinic, "is_out": is_out})


def _recipient(pk: uuid.UUID) -> Patient | RelatedPerson | None:
    patient = Patient.objects.select_related("clinic").filter(pk=pk).first()
    return patient or RelatedPerson.objects.select_related("patient__clinic").filter(pk=pk).first()


def _message(token: str) -> Communication | None:
    try:
        pk = links.answered(token)
    except links.UnknownToken:
        return None
    messages = Communication.objects.select_related(
        "patient__clinic",
        "related_person__patient__clinic",
        "appointment__clinic",
        "appointment__practitioner",
        "appointment__patient",
        "appointment__visit_type",
    )
    message = messages.filter(pk=pk).first()
    return message if message is not None and links.is_answerable(message) else None


def _do(request: HttpRequest, message: Communication, wanted: str) -> HttpResponse:
    try:
        if wanted == answering.Answer.CONFIRM:
            answering.confirm(message)
        elif wanted == answering.Answer.CANCEL:
            answering.cancel(message)
    except answering.Closed:
        pass  # the page says how it is now
    except answering.TooLate:
        return _page(request, message, status=409, is_too_late=True)
    return redirect(request.path)


def _page(
    request: HttpRequest, message: Communication, *, status: int = 200, is_too_late: bool = False
) -> HttpResponse:
    visit = message.visit
    is_open = True
    try:
        answering.check_open(message)
    except answering.Closed:
        is_open = False
    here = of_page(visit.start, message.patient.home_zone)
    there = of_page(visit.start, visit.clinic.time_zone)
    context = {
        "clinic": visit.clinic,
        "patient": message.patient,
        "here": here,
        "at_clinic": None if there.is_same_clock(here) else there,
        "clinician": visit.practitioner.name,
        "is_open": is_open,
        "is_cancelled": visit.status == Appointment.Status.CANCELLED,
        "is_confirmed": is_open and answering.is_confirmed(visit),
        "may_cancel": is_open and answering.may_cancel(visit),
        "is_too_late": is_too_late,
    }
    return render(request, "reminders/answer.html", context, status=status)
