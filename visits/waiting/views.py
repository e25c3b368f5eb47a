"""The patient's waiting page, and the Today board of staff."""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, automatic, for_party, for_staff
from accounts.mfa import qr
from accounts.models import Practitioner
from accounts.policy import Action
from accounts.principal import Principal
from visits.booking.access import appointment_for, note_look
from visits.booking.errors import BookingError, WrongState
from visits.booking.models import Appointment
from visits.checkin.models import CheckIn
from visits.checkin.services import Step, is_ready, line_opens_at
from visits.intake import services as intake
from visits.reminders.services import lines_of
from visits.waiting import board, calls, handout, late, services
from visits.waiting.card import card_of, problem_words
from visits.waiting.services import Look, Phase
from visits.waiting.walk_in import WalkInPage
from visits.waiting.wording import ordinal

SESSION_SCOPE = "board"
MINE, CLINIC = "mine", "clinic"


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def room(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The place in line. Opening the page is the arrival; POST joins the line again after a missed turn.

    ``?panel`` gives the live part alone.
    """
    principal = _principal(request)
    look = services.look(principal=principal, visit_id=pk)
    is_patient = principal.may(Action.VISIT_CHECK_IN)
    if is_patient and calls.is_call(look.visit):
        return redirect("online:visit", pk=pk)
    if is_patient and look.phase in {Phase.EARLY, Phase.WAITING, Phase.MISSED} and not is_ready(look.visit, principal):
        return redirect("checkin:start", pk=pk)
    if request.method == "POST":
        return _join_again(request, principal, look)
    if is_patient and look.phase in {Phase.WAITING, Phase.CALLED}:
        services.be_here(principal=principal, visit_id=pk)
        look = services.look(principal=principal, visit_id=pk)
    context = _room_context(look, principal)
    return render(request, "waiting/_panel.html" if "panel" in request.GET else "waiting/room.html", context)


@require_POST
@for_party
def moment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Called in, but not ready yet: staff are told."""
    principal = _principal(request)
    services.need_a_moment(principal=principal, visit=appointment_for(principal, pk, Action.VISIT_CHECK_IN))
    return redirect("waiting:room", pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@for_party
def left(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """POST leaves the waiting room for now; the page says that the place is kept."""
    principal = _principal(request)
    visit = appointment_for(principal, pk, Action.VISIT_WAIT)
    if request.method == "POST":
        if principal.may(Action.VISIT_CHECK_IN):
            services.away(principal=principal, visit=visit)
        return redirect("waiting:left", pk=pk)
    return render(request, "waiting/left.html", {"visit": visit})


@require_GET
@for_staff(Action.BOARD_SEE)
def today(request: HttpRequest) -> HttpResponse:
    """The board. Opening it is on the trail, for it names patients; the looks that keep it true are the same one."""
    zone, context = str(timezone.get_current_timezone()), _board_context(request)
    record("board.view", Audit.READ, principal=_principal(request), request=request, detail={"scope": context["scope"]})
    return render(request, "waiting/today.html", context | {"zone": zone})


@require_GET
@for_staff(Action.BOARD_SEE)
@automatic
def board_fragment(request: HttpRequest) -> HttpResponse:
    """The board alone, for a page that heard that it changed."""
    return render(request, "waiting/_board.html", _board_context(request))


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.VISIT_BOOK)
def walk_in(request: PrincipalRequest) -> HttpResponse:
    """Put somebody into today's queue who comes without an appointment. Names travel by POST only."""
    page = WalkInPage(request, request.POST)
    if request.method == "POST" and page.is_due:
        visit = page.submit()
        if visit is not None:
            is_new = visit.created_at >= page.now
            words = (
                _("Added to today’s queue, with %(clinician)s.")
                if is_new
                else _("The patient is in today’s queue already, with %(clinician)s.")
            )
            messages.success(request, words % {"clinician": visit.practitioner.name})
            return redirect("waiting:link", pk=visit.pk)
    return render(request, "waiting/walk_in.html", {"page": page, "nav": "today"})


@require_POST
@for_staff(Action.VISIT_BOOK)
def walk_in_check(request: PrincipalRequest) -> HttpResponse:
    """The card that follows what was chosen (htmx)."""
    page = WalkInPage(request, request.POST)
    return render(request, "waiting/_walk_in_check.html", {"page": page, "is_live": True})


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.VISIT_INVITE)
def link(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """How the patient gets to the visit: what was sent; POST makes a link and shows it once, to copy or print."""
    visit = appointment_for(request.principal, pk, Action.VISIT_INVITE)
    url = handout.hand_out(principal=request.principal, visit=visit) if request.method == "POST" else ""
    sent = visit.communications.filter(revision=visit.revision)
    context = {
        "nav": "today",
        "visit": visit,
        "url": url,
        "code": qr.svg(url) if url else "",
        "has_link": handout.has_link(visit),
        "is_walk_in": visit.origin == Appointment.Origin.WALK_IN and visit.status == Appointment.Status.BOOKED,
        "ledger": lines_of(request.principal, visit, sent.order_by("due_at", "planned_at")),
    }
    note_look(request, visit)
    return render(request, "waiting/link.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.DELAY_SET)
def running_late(request: PrincipalRequest) -> HttpResponse:
    """GET shows who would be told (htmx; without script Today does), POST says how late a clinician is."""
    principal, data = request.principal, request.POST if request.method == "POST" else request.GET
    card = card_of(principal, data, timezone.now())
    if card is None:
        raise Http404
    if request.method != "POST":
        if not request.headers.get("HX-Request"):
            return redirect(f"{reverse('waiting:today')}?{request.GET.urlencode()}")
        return render(request, "waiting/_late.html", {"late": card, **_delays_context(principal)})
    practitioner = late.practitioner_for(principal, _uuid(data.get("of", "")))
    if card.minutes is None:
        messages.warning(request, _("Choose by how many minutes."))
        return redirect("waiting:today")
    told = late.set_delay(principal=principal, practitioner=practitioner, minutes=card.minutes)
    messages.success(request, _late_words(practitioner, card.minutes, sum(one.is_reachable for one in told)))
    return redirect("waiting:today")


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.DELAY_SET)
def move_later(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The later visits and when they can begin; POST moves all, or says which cannot and moves none.

    ``besides``: those that are left where they are.
    """
    practitioner = late.practitioner_for(request.principal, pk)
    shifts, status = late.shifts(practitioner, timezone.now()), 200
    if request.method == "POST":
        besides = {_uuid(value) for value in request.POST.getlist("besides")}
        try:
            moved = late.move_later(principal=request.principal, practitioner=practitioner, besides=besides)
        except late.InTheWay as way:
            shifts, status = way.shifts, 409
        else:
            count = len(moved)
            words = ngettext("%(count)s visit is moved.", "%(count)s visits are moved.", count) % {"count": count}
            messages.success(request, f"{words} {_('The patients are told of the new times.')}" if count else words)
            return redirect("waiting:today")
    for shift in shifts:
        note_look(request, shift.visit)
    stuck = [shift for shift in shifts if shift.problem]
    context = {
        "nav": "today",
        "practitioner": practitioner,
        "shifts": [(shift, problem_words(shift)) for shift in shifts],
        "stuck": stuck,
        "movable": len(shifts) - len(stuck),
    }
    return render(request, "waiting/late_move.html", context, status=status)


@require_POST
@for_staff(Action.VISIT_ADMIT)
def admit(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Let the patient in; a clinician goes along into the room."""
    principal = _principal(request)
    visit = appointment_for(principal, pk, Action.VISIT_ADMIT)
    try:
        ticket = services.admit(principal=principal, visit=visit)
    except services.NotWaiting:
        messages.warning(request, _("%(name)s is not in the waiting room.") % {"name": visit.patient.full_name})
        return redirect("waiting:today")
    if principal.may(Action.VISIT_JOIN):
        return redirect("room:staff", pk=pk)
    if ticket.admitted_by == principal.user:
        words = _("%(name)s is let in. %(clinician)s sees it on Today.")
    else:
        words = _("%(name)s was let in already.")
    messages.success(request, words % {"name": visit.patient.full_name, "clinician": visit.practitioner.name})
    return redirect("waiting:today")


@require_POST
@for_staff(Action.VISIT_ADMIT)
def noshow(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Give the patient up as missed; their time is free again."""
    principal = _principal(request)
    visit = appointment_for(principal, pk, Action.VISIT_ADMIT)
    names = {"name": visit.patient.full_name}
    try:
        services.miss(principal=principal, visit=visit)
        if calls.is_call(visit):
            words = _("%(name)s is marked as missed.")
        else:
            words = _("%(name)s is marked as missed. They can still join the line again.")
        messages.success(request, words % names)
    except BookingError:
        words = _(
            "%(name)s cannot be marked as missed: the visit’s time has not come, they were let in just now or have "
            "been in the visit, or it is over."
        )
        messages.warning(request, words % names)
    return redirect("waiting:today")


@require_POST
@for_staff(Action.VISIT_END)
def called(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The patient of a visit by phone was called, and it took place."""
    visit = appointment_for(request.principal, pk, Action.VISIT_END)
    names = {"name": visit.patient.full_name}
    try:
        calls.finish_call(principal=request.principal, visit=visit)
        messages.success(request, _("The call with %(name)s is noted as finished.") % names)
    except BookingError:
        words = _("The call with %(name)s cannot be noted: its time has not come, or it was moved or cancelled.")
        messages.warning(request, words % names)
    return redirect("waiting:today")


def _join_again(request: HttpRequest, principal: Principal, look: Look) -> HttpResponse:
    try:
        services.arrive(principal=principal, visit=look.visit, again=True)
    except (services.LineClosed, WrongState):
        pass  # called, cancelled or over meanwhile: the page says which
    except BookingError:
        context = _room_context(look, principal) | {"time_given_away": True}
        return render(request, "waiting/room.html", context, status=409)
    return redirect("waiting:room", pk=look.visit.pk)


def _room_context(look: Look, principal: Principal) -> dict[str, Any]:
    now, is_patient = timezone.now(), principal.may(Action.VISIT_CHECK_IN)
    check_in = CheckIn.objects.filter(appointment=look.visit).first() if principal.may(Action.PAST_SEE) else None
    return {
        "visit": look.visit,
        "step": Step.WAITING,
        "look": look,
        "is_patient": is_patient,
        "may_answer": intake.may_answer(principal, look.visit),
        "place": ordinal(look.position) if look.position else "",
        "opens_at": line_opens_at(look.visit),
        "is_today": timezone.localdate(now) == timezone.localdate(look.visit.start),
        "callback_phone": check_in.callback_phone if check_in else "",
        "now": now,
    }


def _board_context(request: HttpRequest) -> dict[str, Any]:
    principal = _principal(request)
    has_own = Practitioner.objects.filter(user=principal.user, clinic=principal.clinic, is_active=True).exists()
    scope = request.GET.get("scope", request.session.get(SESSION_SCOPE, MINE))
    if scope not in {MINE, CLINIC} or not has_own:
        scope = CLINIC
    if has_own and request.GET.get("scope") == scope != request.session.get(SESSION_SCOPE):
        request.session[SESSION_SCOPE] = scope
    now = timezone.now()
    # The version first: what changes in between makes the page look again.
    told = board.versions(principal.clinic, now).told(principal.user)
    return {
        "nav": "today",
        "version": told["mine" if scope == MINE else "version"],
        "board": board.board(principal, only_mine=scope == MINE, now=now),
        "scope": scope,
        "has_own": has_own,
        "late": card_of(principal, request.GET, now),
        **_delays_context(principal),
        "may_admit": principal.may(Action.VISIT_ADMIT),
        "may_join": principal.may(Action.VISIT_JOIN),
        "may_end": principal.may(Action.VISIT_END),
        "may_book": principal.may(Action.VISIT_BOOK),
        "may_see": principal.may(Action.VISIT_SEE),
    }


def _delays_context(principal: Principal) -> dict[str, Any]:
    """Whose delays one may change: everybody's, or one's own."""
    return {
        "may_set_all": principal.may(Action.DELAY_SET_ALL),
        "own": Practitioner.objects.filter(user=principal.user, clinic=principal.clinic, is_active=True).first()
        if principal.may(Action.DELAY_SET)
        else None,
    }


def _late_words(practitioner: Practitioner, minutes: int, told: int) -> str:
    """What was done, on whatever page comes next: so it names no patient."""
    words = _("%(clinician)s is about %(minutes)s minutes late.") if minutes else _("%(clinician)s is on time again.")
    who = ngettext("%(count)s patient is told.", "%(count)s patients are told.", told) % {"count": told}
    return f"{words % {'clinician': practitioner.name, 'minutes': minutes}} {who}"


def _uuid(value: str) -> uuid.UUID:
    """Raises Http404 for what is none."""
    try:
        return uuid.UUID(value)
    except ValueError:
        raise Http404 from None


def _principal(request: HttpRequest) -> Principal:
    return cast(PrincipalRequest, request).principal
