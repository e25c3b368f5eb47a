"""Asking for an earlier time, for patients and for staff, and answering an offer of one."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.doors import PrincipalRequest, for_party, for_staff, public
from accounts.language import page_language, speak
from accounts.links.views import unknown
from accounts.policy import Action
from visits.booking.access import appointment_for, note_look
from visits.booking.days import Clock
from visits.booking.models import Appointment
from visits.schedule.models import SchedulePolicy
from visits.schedule.moment import of_page
from visits.waitlist import links, services
from visits.waitlist.forms import PARTS, WishForm
from visits.waitlist.models import Offer, WaitlistEntry
from visits.waitlist.services.entries import right_of

OFFERS = Offer.objects.select_related(
    "practitioner",
    "entry__appointment__patient__clinic",
    "entry__appointment__clinic",
    "entry__appointment__practitioner",
)


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def mine(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The patient's own place on the list."""
    return _page(request, pk, "waitlist/mine.html")


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.VISIT_CHANGE)
def of_visit(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The visit's place on the list, and what was offered."""
    return _page(request, pk, "waitlist/visit.html")


@public
@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: HttpRequest, token: str) -> HttpResponse:
    """An earlier time: GET shows it (a mail scanner does), POST accepts or declines. Opens nothing else."""
    found = _offer(token)
    if found is None:
        return unknown(request)
    speak(request, found.entry.appointment.patient.language)
    if request.method != "POST":
        return render(request, "waitlist/offer.html", _offer_context(found))
    try:
        _answer(found, request.POST.get("answer", ""))
    except services.OfferClosed:
        found.refresh_from_db()
        return render(request, "waitlist/offer.html", _offer_context(found), status=409)
    return redirect(request.path)


def _answer(found: Offer, answer: str) -> None:
    if answer == "accept":
        services.accept(found)
    elif answer in {"decline", "leave"}:
        services.decline(found, leave=answer == "leave")


def _page(request: PrincipalRequest, pk: uuid.UUID, template: str) -> HttpResponse:
    """GET shows the place on the list and the form; POST asks, changes, or takes it off (``do=leave``)."""
    visit = appointment_for(request.principal, pk, right_of(request.principal))
    entry = services.active_entry(visit)
    if request.POST.get("do") == "leave":
        services.leave(principal=request.principal, visit=visit)
        return _done(request, _("The visit is off the waitlist."))
    zone = visit.patient.home_zone
    now, start = of_page(timezone.now(), zone), of_page(visit.start, zone)
    form = WishForm(
        request.POST or None, entry=entry, clinician=visit.practitioner.name, today=now.date, booked=start.date
    )
    if request.method == "POST" and form.is_valid():
        try:
            services.ask(principal=request.principal, visit=visit, **form.cleaned_data)
        except services.NotPossible:
            visit.refresh_from_db()
        else:
            return _done(request, _("The visit is on the waitlist."))
    if request.principal.is_staff_member:
        note_look(request, visit)
    offers = _offers_to(visit)
    context = {
        "visit": visit,
        "start": start,
        "entry": entry,
        "form": form,
        "is_possible": visit.status == Appointment.Status.BOOKED and visit.start > timezone.now(),
        "wish": _words(entry) if entry else None,
        "last_day": Clock(zone, page_language()).day(entry.last_day) if entry else None,
        "offers": [(of_page(each.start, zone), of_page(each.made_at, zone), each) for each in offers],
        "minutes": SchedulePolicy.of(visit.clinic).offer_minutes,
        "open": next((_open_context(each) for each in offers if each.is_open(timezone.now())), None),
    }
    return render(request, template, context, status=409 if request.method == "POST" and not form.errors else 200)


def _done(request: PrincipalRequest, words: str) -> HttpResponse:
    """Staff pages show messages; the patient's says it by itself."""
    if request.principal.is_staff_member:
        messages.success(request, words)
    return redirect(request.path)


def _words(entry: WaitlistEntry) -> dict[str, Any]:
    """The wish as words: whole weeks and whole days are "any"."""
    days = [label for value, label in WishForm.base_fields["weekdays"].choices if str(value) in entry.weekdays]  # type: ignore[attr-defined]
    return {
        "days": "" if len(days) == 7 else ", ".join(str(day) for day in days),
        "parts": "" if len(entry.parts) == len(PARTS) else "; ".join(str(PARTS[part]) for part in entry.parts),
    }


def _offers_to(visit: Appointment) -> list[Offer]:
    return list(OFFERS.filter(entry__appointment=visit))


def _open_context(offer: Offer) -> dict[str, Any]:
    return _offer_context(offer) | {"path": links.path_of(offer.pk)}


def _offer(token: str) -> Offer | None:
    try:
        pk = links.offered(token)
    except links.UnknownToken:
        return None
    return OFFERS.filter(pk=pk).first()


def _offer_context(found: Offer) -> dict[str, Any]:
    visit = found.entry.appointment
    clinic, zone = visit.clinic, visit.patient.home_zone
    shown, at_clinic = of_page(found.start, zone), of_page(found.start, clinic.time_zone)
    now_shown, now_at_clinic = of_page(visit.start, zone), of_page(visit.start, clinic.time_zone)
    is_over = visit.start <= timezone.now() or not visit.is_open
    return {
        "clinic": clinic,
        "offer": found,
        "booked": visit,
        "shown": shown,
        "at_clinic": None if at_clinic.is_same_clock(shown) else at_clinic,
        "now_shown": now_shown,
        "now_at_clinic": None if now_at_clinic.is_same_clock(now_shown) else now_at_clinic,
        "until": of_page(found.until, zone),
        "until_is_today": of_page(timezone.now(), zone).date == of_page(found.until, zone).date,
        "is_open": found.is_open(timezone.now()),
        "keeps": not is_over,
        "is_listed": found.entry.ended_at is None,
    }
