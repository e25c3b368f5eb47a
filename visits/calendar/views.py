"""The calendar's pages, the dialog that moves a visit, time off, and the feed."""

import json
import uuid
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.audit.address import caller_network
from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_party, for_staff, public
from accounts.limit import too_many
from accounts.models import Practitioner
from accounts.policy import Action
from visits.booking.access import appointment_for, note_look
from visits.booking.days import day_from
from visits.booking.models import Appointment
from visits.booking.picker import chosen
from visits.calendar import feed as feeds
from visits.calendar import time_off as services
from visits.calendar.addresses import with_query
from visits.calendar.forms import ExceptionForm
from visits.calendar.month import MonthPage
from visits.calendar.moving import Back, just_moved, move_of, remember
from visits.calendar.moving import places as places_of
from visits.calendar.page import DAY, MONTH, WEEK, CalendarPage
from visits.reminders.models import Communication
from visits.reminders.services import is_no_news, rules
from visits.schedule.models import ScheduleException
from visits.schedule.moment import of_page

PAGES = {DAY: CalendarPage, WEEK: CalendarPage, MONTH: MonthPage}


@for_staff(Action.BOARD_SEE)
@require_safe
def index(request: PrincipalRequest) -> HttpResponse:
    """Where a calendar is opened: one's own week, or the clinic's day."""
    page = CalendarPage(request.principal, DAY, request.GET)
    return redirect(page.url(view=WEEK if page.own else DAY))


@for_staff(Action.BOARD_SEE)
@require_safe
def calendar(request: PrincipalRequest, view: str) -> HttpResponse:
    """A day, week or month of a clinician or the clinic (GET ``day``, ``who``, ``hours``); htmx gets the part alone."""
    page = PAGES[view](request.principal, view, request.GET)
    if view != MONTH:  # which counts visits and names nobody
        _note_look(request, page, "calendar.view")
    is_part = bool(request.headers.get("HX-Request"))
    template = "calendar/_calendar.html" if is_part else "calendar/calendar.html"
    moved = just_moved(request.principal, request.session, page.now)
    return render(request, template, {"page": page, "nav": "calendar", "is_part": is_part, "moved": moved})


@for_staff(Action.BOARD_SEE)
@require_safe
def print_day(request: PrincipalRequest) -> HttpResponse:
    """The day's visits as a list for paper."""
    page = CalendarPage(request.principal, DAY, request.GET)
    _note_look(request, page, "calendar.print")
    return render(request, "calendar/print.html", {"page": page, "nav": "calendar"})


@for_staff(Action.VISIT_CHANGE)
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Say where the visit would go and who is told; POST moves it. Without a time: the page that looks for one."""
    visit = appointment_for(request.principal, pk, Action.VISIT_CHANGE)
    asked = move_of(request, request.principal, visit)
    if asked.start is None:
        return redirect("booking:move", pk=pk)
    is_part = bool(request.headers.get("HX-Request"))
    if request.method == "POST":
        moved = asked.submit()
        if moved is not None:
            remember(request.session, moved)
            if is_part:
                return HttpResponse(status=204, headers={"HX-Trigger": "calendar:moved"})
            day = asked.clock.at(moved.start).date
            return redirect(with_query("calendar:week", day=day, who=moved.practitioner_id))
    note_look(request, visit)
    template = "calendar/_move.html" if is_part else "calendar/move.html"
    return render(request, template, {"move": asked, "visit": visit, "nav": "calendar"})


@for_staff(Action.VISIT_CHANGE)
@require_POST
def undo(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Take back the move that made the visit's POSTed ``revision``; what is in the way is said as at any move."""
    visit = appointment_for(request.principal, pk, Action.VISIT_CHANGE)
    revision = request.POST.get("revision", "")
    if not (revision.isascii() and revision.isdecimal() and len(revision) < 9):
        raise Http404
    asked = Back(request.principal, visit, int(revision))
    is_part = bool(request.headers.get("HX-Request"))
    back = asked.submit()
    if back is None:
        note_look(request, visit)
        template = "calendar/_move.html" if is_part else "calendar/move.html"
        return render(request, template, {"move": asked, "visit": visit, "nav": "calendar"})
    messages.success(request, _back_words(asked, back))
    if is_part:
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps({"calendar:moved": {"visit": str(pk)}})})
    day = asked.clock.at(back.start).date
    return redirect(with_query("calendar:week", day=day, who=back.practitioner_id))


@for_staff(Action.VISIT_CHANGE)
@require_safe
def places(request: PrincipalRequest, pk: uuid.UUID) -> JsonResponse:
    """Where on a day's or week's page (GET: its ``view`` and what it was asked for) the visit may be dropped."""
    visit = appointment_for(request.principal, pk, Action.VISIT_CHANGE)
    page = CalendarPage(request.principal, DAY if request.GET.get("view") == DAY else WEEK, request.GET)
    return JsonResponse({"places": places_of(page, visit)})


@for_staff(Action.SCHEDULE_CHANGE)
@require_http_methods(["GET", "HEAD", "POST"])
def time_off(request: PrincipalRequest) -> HttpResponse:
    """Enter time off or extra hours (GET ``day``, ``who`` fill in the form)."""
    day = day_from(request.GET.get("day")) or timezone.localdate()
    return _exception_page(request, ScheduleException(clinic=request.principal.clinic, first_day=day, last_day=day))


@for_staff(Action.SCHEDULE_CHANGE)
@require_http_methods(["GET", "HEAD", "POST"])
def change_time_off(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Change time off or extra hours; POST ``do=remove`` takes them back."""
    exception = services.exception_for(request.principal, pk)
    if request.method == "POST" and request.POST.get("do") == "remove":
        day = exception.first_day
        services.remove(principal=request.principal, exception=exception)
        messages.success(request, _("Removed. The usual hours count again."))
        return redirect(with_query("calendar:week", day=day))
    return _exception_page(request, exception)


def _exception_page(request: PrincipalRequest, exception: ScheduleException) -> HttpResponse:
    principal = request.principal
    people = services.people_of(principal)
    form = ExceptionForm(
        request.POST or None,
        instance=exception,
        people=people,
        may_clinic=principal.may(Action.SCHEDULE_CHANGE_ALL),
        initial=_asked(request, people) if exception._state.adding else None,
    )
    if request.method == "POST" and form.is_valid():
        in_the_way = services.save(principal=principal, exception=form.instance)
        if not in_the_way:
            messages.success(request, _("Saved."))
            who = {"who": exception.practitioner_id} if exception.practitioner_id else {}
            return redirect(with_query("calendar:week", day=exception.first_day, **who))
        context = {"exception": form.instance, "visits": in_the_way, "nav": "calendar"}
        return render(request, "calendar/in_the_way.html", context)
    zone = of_page(timezone.now(), principal.clinic.time_zone)
    context = {"form": form, "exception": exception, "is_new": exception._state.adding, "zone": zone, "people": people}
    return render(request, "calendar/time_off.html", context | {"nav": "calendar"})


def _asked(request: HttpRequest, people: list[Practitioner]) -> dict[str, object]:
    """What a blank form begins with: never the whole clinic, which somebody might close by an oversight."""
    who = chosen(people, request.GET.get("who")) or next(iter(people), None)
    return {"kind": ScheduleException.Kind.OFF, "practitioner": who}


@for_staff(Action.BOARD_SEE)
@require_http_methods(["GET", "HEAD", "POST"])
def feed(request: PrincipalRequest) -> HttpResponse:
    """One's calendar feed: make it or make it anew (POST ``do=renew``, which shows its address once), or end it."""
    url = ""
    if request.method == "POST" and request.POST.get("do") == "renew":
        url = feeds.renew(principal=request.principal)
    elif request.method == "POST":
        if feeds.revoke(principal=request.principal):
            messages.success(request, _("The feed has ended. Its address opens nothing any more."))
        return redirect("calendar:feed")
    context = {
        "feed": feeds.live_feed(request.principal),
        "has_visits": feeds.practitioner_of(request.principal) is not None,
        "url": url,
        "nav": "calendar",
    }
    return render(request, "calendar/feed.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def own_feed(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """A patient's calendar feed of all their visits at the clinic: POST ``do`` as in ``feed``."""
    visit = appointment_for(request.principal, pk, Action.PAST_SEE)
    url = ""
    if request.method == "POST" and request.POST.get("do") == "renew":
        url = feeds.renew(principal=request.principal)
    elif request.method == "POST":
        if feeds.revoke(principal=request.principal):
            messages.success(request, _("The feed has ended. Its address opens nothing any more."))
        return redirect("calendar:own-feed", pk=pk)
    now = timezone.now()
    here = of_page(now, visit.patient.time_zone or visit.clinic.time_zone)
    there = of_page(now, visit.clinic.time_zone)
    context = {
        "visit": visit,
        "feed": feeds.live_feed(request.principal),
        "url": url,
        "here": here,
        "at_clinic": None if here.is_same_clock(there) else there,
    }
    return render(request, "calendar/own_feed.html", context)


@public
@require_safe
def feed_file(request: HttpRequest, token: str) -> HttpResponse:
    """The feed itself, for a calendar program that has nothing but the address."""
    try:
        found = feeds.find(token)
    except Http404:
        if too_many(f"unknown-feed:{caller_network(request)}", times=20, seconds=600):
            return _come_back_in(600)
        raise
    if too_many(f"feed:{found.pk}", times=60, seconds=3600):
        return _come_back_in(3600)
    now = timezone.now()
    body = feeds.calendar(found, now=now)
    changed = int(feeds.last_modified(found, now=now).timestamp())
    headers = {
        "ETag": feeds.etag_of(body),
        "Last-Modified": http_date(changed),
        "Content-Disposition": 'inline; filename="visits.ics"',
    }
    whole = HttpResponse(body, content_type="text/calendar; charset=utf-8", headers=headers)
    answer = cast(HttpResponse, get_conditional_response(request, headers["ETag"], changed, whole))
    answer["Cache-Control"] = "private"
    return answer


def _note_look(request: PrincipalRequest, page: CalendarPage, subtype: str) -> None:
    """The page names patients: put on the trail who saw which days of whom."""
    record(
        subtype,
        Audit.READ,
        principal=request.principal,
        request=request,
        detail={
            "day": str(page.first),
            "days": len(page.days),
            "practitioner": str(page.who.pk) if page.who else "",
            "visits": len(page.visits),
        },
    )


def _come_back_in(seconds: int) -> HttpResponse:
    return HttpResponse(status=429, headers={"Retry-After": str(seconds)})


def _back_words(asked: Back, moved: Appointment) -> str:
    """Where the visit is again, and whether the patient hears of it."""
    at = asked.clock.at(moved.start)
    words = _("Moved back to %(day)s, %(time)s %(zone)s with %(clinician)s.") % {
        "day": at.short_day,
        "time": at.time,
        "zone": at.zone_code,
        "clinician": moved.practitioner.name,
    }
    if is_no_news(moved):
        return f"{words} {_('The patient had not heard of the move, so no message goes out.')}"
    if not rules.reached_by(moved.patient, Communication.Kind.RESCHEDULE):
        return f"{words} {_('No message reaches the patient: call them.')}"
    return words
