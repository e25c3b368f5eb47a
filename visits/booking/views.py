"""Booking a visit and cancelling it."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.doors import PrincipalRequest, for_staff
from accounts.policy import Action
from visits.booking import services
from visits.booking.access import appointment_for, note_look
from visits.booking.forms import CancelForm
from visits.booking.models import Appointment
from visits.booking.move_page import MovePage
from visits.booking.page import page_of
from visits.booking.picker import moved_words
from visits.schedule.moment import Moment, of_page


@for_staff(Action.VISIT_BOOK)
@require_http_methods(["GET", "HEAD", "POST"])
def book(request: HttpRequest) -> HttpResponse:
    """Choose patient, clinician, visit type and time, and book. Names travel by POST only."""
    page = page_of(request)
    if request.method == "POST" and request.POST.get("do") == "book":
        visit = page.submit()
        if visit is not None:
            messages.success(request, _booked_words(visit))
            return redirect("room:visit", pk=visit.pk)
    elif request.method == "POST":
        page.keep()
    return render(request, "booking/book.html", {"page": page, "nav": "book"})


@for_staff(Action.VISIT_BOOK)
@require_POST
def slots(request: HttpRequest) -> HttpResponse:
    """The parts that follow what was chosen: days, times and the card (htmx)."""
    page = page_of(request)
    page.keep()
    return render(request, "booking/_changed.html", {"page": page})


@for_staff(Action.PATIENT_SEARCH)
@require_POST
def patients(request: HttpRequest) -> HttpResponse:
    """The patients found (htmx)."""
    return render(request, "booking/_found.html", {"page": page_of(request), "is_live": True})


@for_staff(Action.VISIT_CHANGE)
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Choose another time, clinician or type for the visit; POST ``do=move`` moves it."""
    visit = appointment_for(request.principal, pk, Action.VISIT_CHANGE)
    if visit.status != Appointment.Status.BOOKED:
        messages.error(request, _("This visit cannot be moved any more."))
        return redirect("room:visit", pk=pk)
    page = MovePage(request, request.POST if request.method == "POST" else request.GET, visit)
    if request.method == "POST" and request.POST.get("do") == "move":
        try:
            moved = page.submit()
        except services.WrongState:
            messages.error(request, _("This visit cannot be moved any more."))
            return redirect("room:visit", pk=pk)
        if moved is not None:
            messages.success(request, _moved_words(moved, page.moved_with))
            return redirect("room:visit", pk=pk)
    elif request.method == "POST":
        page.keep()
    note_look(request, visit)
    return render(request, "booking/move.html", {"page": page, "visit": visit})


@for_staff(Action.VISIT_CHANGE)
@require_POST
def move_slots(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The parts that follow what was chosen for a visit that is to be moved (htmx)."""
    page = MovePage(request, request.POST, appointment_for(request.principal, pk, Action.VISIT_CHANGE))
    page.keep()
    return render(request, "booking/_moved.html", {"page": page})


@for_staff(Action.VISIT_CHANGE)
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask whether to cancel the visit, and why; POST cancels it."""
    visit = appointment_for(request.principal, pk, Action.VISIT_CHANGE)
    form = CancelForm(request.POST or None, following=services.following(visit).count())
    if request.method == "POST" and form.is_valid():
        wanted = {"principal": request.principal, "visit": visit, "reason": form.cleaned_data["reason"]}
        try:
            if form.cleaned_data.get("following"):
                count = len(services.cancel_following(**wanted))
            else:
                services.cancel(**wanted)
                count = 1
        except services.WrongState:
            messages.error(request, _("This visit cannot be cancelled any more."))
        else:
            words = _("%(count)s visits are cancelled. Their times are free again.") % {"count": count}
            messages.success(request, words if count > 1 else _("The visit is cancelled. Its time is free again."))
        return redirect("room:visit", pk=visit.pk)
    if not visit.may_become(Appointment.Status.CANCELLED):
        messages.error(request, _("This visit cannot be cancelled any more."))
        return redirect("room:visit", pk=visit.pk)
    note_look(request, visit)
    return render(request, "booking/cancel.html", {"visit": visit, "when": _moment(visit), "form": form})


def _moment(visit: Appointment) -> Moment:
    return of_page(visit.start, visit.clinic.time_zone)


def _moved_words(visit: Appointment, more: int) -> str:
    words = moved_words(_moment(visit), visit)
    if more:
        words += " " + ngettext("And %(count)d more visit.", "And %(count)d more visits.", more) % {"count": more}
    return words


def _booked_words(visit: Appointment) -> str:
    """What to say after booking, on whatever page comes next: so it names no patient."""
    when = _moment(visit)
    words = _("Booked for %(day)s, %(time)s %(zone)s with %(clinician)s.") % {
        "day": when.short_day,
        "time": when.time,
        "zone": when.zone_code,
        "clinician": visit.practitioner.name,
    }
    if visit.series is not None:
        more = visit.series.count - 1
        words += " " + ngettext("And %(count)d more visit.", "And %(count)d more visits.", more) % {"count": more}
    return words
