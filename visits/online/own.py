"""The patient's own pages, behind the link to one of their visits or signed in: see it, move it, cancel it, find the
others.

A link opens one visit. Who opened it gave the birth date, so days, times and clinicians of the same patient's other
visits are shown too; opening one of those takes its own link, which goes to the address that the clinic has. Who is
signed in opens them all.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.doors import PrincipalRequest, for_account, for_party
from accounts.language import page_language
from accounts.limit import too_many
from accounts.models import Patient
from accounts.policy import Action
from accounts.principal import link_principal
from visits.booking import services as booking
from visits.booking.access import VISITS, appointment_for
from visits.booking.models import Appointment
from visits.intake import services as intake
from visits.online.forms import ReasonForm
from visits.online.picker import Picker
from visits.online.trouble import Trouble, already_has, just_taken
from visits.reminders import invitation
from visits.reminders.models import Communication
from visits.reminders.services import announce
from visits.schedule.models import SchedulePolicy
from visits.schedule.moment import Moment

Status = Appointment.Status

LINKS_PER_VISIT, TEN_MINUTES = 1, 600
A_PAGE = 50


@dataclass(frozen=True)
class When:
    """When a visit is, on the patient's clock, and on the clinic's where that shows something else."""

    here: Moment
    at_clinic: Moment | None

    @classmethod
    def of(cls, visit: Appointment, instant: datetime | None = None) -> "When":
        language = page_language()
        instant = instant or visit.start
        here = Moment(instant, visit.patient.home_zone, language)
        there = Moment(instant, visit.clinic.time_zone, language)
        return cls(here, None if there.is_same_clock(here) else there)


@dataclass(frozen=True)
class Listed:
    """A visit in the list, and whether this browser opens it: by its link, or signed in."""

    visit: Appointment
    when: When
    is_open_here: bool


@require_safe
@for_party
def booked(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Just booked: what, what comes now, and the visit in one's own calendar."""
    return _visit_page(request, pk, is_new=True)


@require_safe
@for_party
def visit(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The visit, and what the patient can do with it."""
    return _visit_page(request, pk)


@require_safe
@for_party
def calendar(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The visit as a file for one's own calendar."""
    visit = _own(request, pk)
    if not visit.is_open:
        raise Http404
    return HttpResponse(
        invitation.calendar(visit, invitation.PUBLISH, now=timezone.now()),
        content_type="text/calendar; charset=utf-8; method=PUBLISH",
        headers={"Content-Disposition": 'attachment; filename="visit.ics"'},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def move(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Choose another time by GET; POST moves the visit there."""
    visit = _own(request, pk)
    if not _can_change(visit):
        return _closed_page(request, visit, "online/move.html")
    data = request.POST if request.method == "POST" else request.GET
    picker = Picker(visit.clinic, data.dict(), visit=visit, zone=visit.patient.time_zone)
    form = ReasonForm(request.POST or None)
    trouble: Trouble | None = None
    if request.method == "POST" and form.is_valid():
        trouble = _move(request, visit, picker, form.cleaned_data["reason"])
        if trouble is None:
            messages.success(request, _("Your visit has a new time."))
            return redirect("online:visit", pk=pk)
    context = {
        "visit": visit,
        "when": When.of(visit),
        "picker": picker,
        "form": form,
        "trouble": trouble,
        "page_url": request.path,
    }
    is_part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    return render(request, "online/_changed.html" if is_part else "online/move.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def cancel(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask whether to cancel, and why; POST cancels."""
    visit = _own(request, pk)
    if not _can_change(visit):
        return _closed_page(request, visit, "online/cancel.html")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            booking.cancel(principal=request.principal, visit=visit, reason=form.cleaned_data["reason"])
        except (booking.TooLate, booking.WrongState):
            return redirect("online:cancel", pk=pk)
        messages.success(request, _("Your visit is cancelled."))
        return redirect("online:visit", pk=pk)
    return render(request, "online/cancel.html", {"visit": visit, "when": When.of(visit), "form": form})


@require_safe
@for_party
def visits(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """All visits of the patient at this clinic: next, upcoming, past; of older ones a page (GET ``page``)."""
    visit = _own(request, pk, Action.PAST_SEE)
    return redirect("online:me") if request.principal.account else _list_page(request, visit.patient, visit)


@require_safe
@for_account
def me(request: PrincipalRequest) -> HttpResponse:
    """The same for the patient who is signed in: each is open here."""
    return _list_page(request, cast(Patient, request.principal.patient))


def _list_page(request: PrincipalRequest, patient: Patient, opened: Appointment | None = None) -> HttpResponse:
    """``opened`` is the visit whose link was opened."""
    every = VISITS.filter(clinic=patient.clinic, patient=patient)
    now = timezone.now()
    to_come = every.filter(status__in=(Status.BOOKED, Status.ARRIVED), end__gt=now - Appointment.LINE_CLOSES_AFTER)
    coming = list(to_come.order_by("start"))
    past = every.exclude(pk__in=[one.pk for one in coming]).order_by("-start", "pk")
    page = Paginator(past, A_PAGE).get_page(request.GET.get("page"))
    listed = _listed(request, coming)
    context = {
        "visit": None,
        "opened": opened or every.order_by("-start").first(),
        "next": listed[0] if listed else None,
        "upcoming": listed[1:],
        "page": page,
        "past": _listed(request, page),
        "books_online": SchedulePolicy.of(patient.clinic).online_booking,
        "may_say_how": request.principal.may(Action.VISIT_CHANGE_OWN),
        "may_see_looks": request.principal.may(Action.TRAIL_READ_OWN),
        "may_ask_for_copy": request.principal.may(Action.RECORD_ASK),
    }
    return render(request, "online/visits.html", context)


@require_POST
@for_party
def send_link(request: PrincipalRequest, pk: uuid.UUID, other: uuid.UUID) -> HttpResponse:
    """Send the link to this visit, or another one of the patient, to the address that the clinic has of them."""
    visit = _own(request, pk, Action.VISIT_CHANGE_OWN if other == pk else Action.PAST_SEE)
    wanted = VISITS.filter(pk=other, clinic=visit.clinic, patient=visit.patient).first()
    if wanted is None or not wanted.is_open:
        raise Http404
    if not too_many(f"visit-link:{wanted.pk}", times=LINKS_PER_VISIT, seconds=TEN_MINUTES):
        asked = f"{timezone.now():%Y%m%d%H%M%S}"
        announce(
            wanted,
            Communication.Kind.CONFIRMATION,
            serial_of=f"patient asked {asked}",
            details={"asked": True},
        )
    messages.success(request, _("The link is on its way. It goes to the address that we have of you."))
    return redirect("online:visit" if other == pk else "online:visits", pk=pk)


def _own(request: PrincipalRequest, pk: uuid.UUID, action: Action = Action.VISIT_CHANGE_OWN) -> Appointment:
    """The visit, for its patient alone: a guest's link does not open these pages. Raises Http404."""
    return appointment_for(request.principal, pk, action)


def _visit_page(request: PrincipalRequest, pk: uuid.UUID, *, is_new: bool = False) -> HttpResponse:
    visit = _own(request, pk)
    until = booking.changeable_until(visit)
    last = visit.changes.filter(change=Status.CANCELLED).last()
    context = {
        "visit": visit,
        "when": When.of(visit),
        "is_new": is_new and visit.is_open,
        "is_coming": visit.is_open and visit.line_closes_at > timezone.now(),
        "may_come_earlier": visit.status == Status.BOOKED and visit.start > timezone.now(),
        "can_change": _can_change(visit),
        "changeable_until": When.of(visit, until).here,
        "cancelled_at": When.of(visit, last.at).here if last else None,
        "books_online": SchedulePolicy.of(visit.clinic).online_booking,
        "may_answer": intake.may_answer(request.principal, visit),
        "joins": request.principal.may(Action.VISIT_JOIN),
    }
    return render(request, "online/visit.html", context)


def _can_change(visit: Appointment) -> bool:
    return visit.status == Status.BOOKED and timezone.now() <= booking.changeable_until(visit)


def _closed_page(request: PrincipalRequest, visit: Appointment, template: str) -> HttpResponse:
    """Too late, or not booked any more: what to do instead."""
    context: dict[str, Any] = {
        "visit": visit,
        "when": When.of(visit),
        "is_closed": True,
        "is_booked": visit.status == Status.BOOKED,
        "notice": SchedulePolicy.of(visit.clinic).change_notice,
    }
    return render(request, template, context, status=409 if request.method == "POST" else 200)


def _move(request: PrincipalRequest, visit: Appointment, picker: Picker, reason: str) -> Trouble | None:
    """Move the visit to what was chosen; what is in the way, if so."""
    start = picker.wanted
    if start is None:
        return Trouble(_("There is a problem"), _("Choose a time."))
    for practitioner in picker.who_is_free(start):
        try:
            booking.move(
                principal=request.principal, visit=visit, start=start, practitioner=practitioner, reason=reason
            )
        except (booking.SlotTaken, booking.NotAvailable):
            continue
        except booking.PatientBusy as busy:
            return already_has(busy.visit, picker.clock)
        except (booking.TooLate, booking.WrongState):
            return Trouble(
                _("This visit cannot be changed here any more"),
                _("Call us at %(phone)s.") % {"phone": visit.clinic.phone},
            )
        return None
    return just_taken(picker, start)


def _listed(request: PrincipalRequest, rows: Iterable[Appointment]) -> list[Listed]:
    signed_in = request.principal.account is not None
    return [Listed(one, When.of(one), signed_in or link_principal(request.session, one.pk) is not None) for one in rows]
