"""The clinic's public booking page: a time, who it is, the code. Addresses hold no names; drafts are in the session."""

import uuid
from datetime import datetime
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.codes import CodeEnded, TooManyCodes, WrongCode
from accounts.doors import public
from accounts.language import page_language
from accounts.models import Clinic
from visits.booking import services as booking
from visits.booking.models import Appointment
from visits.booking.picker import chosen
from visits.online import codes, drafts, services, trouble, zones
from visits.online.drafts import Draft
from visits.online.forms import CodeForm, PersonForm
from visits.online.models import Verification
from visits.online.picker import Picker
from visits.online.trouble import Trouble, hold_of, picker_of
from visits.reminders.models import ReminderPolicy
from visits.schedule.models import SchedulePolicy, VisitType
from visits.schedule.moment import Moment, of_page

LONGEST = 500  # of what is typed into one field: more than any takes, and sessions stay small


@public
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, slug: str) -> HttpResponse:
    """Visit type, clinician, day and time by GET; POST keeps the chosen time and goes on."""
    clinic = get_object_or_404(Clinic, slug=slug)
    if not SchedulePolicy.of(clinic).online_booking:
        return _nothing(request, clinic)
    data = request.POST if request.method == "POST" else request.GET
    draft = _draft_named(request, clinic, data.get("draft", ""))
    picker = Picker(clinic, data.dict(), hold=hold_of(draft))
    found: Trouble | None = None
    if request.method == "POST":
        wanted = draft or Draft(clinic=str(clinic.pk), visit_type="", zone=picker.zone)
        found = _keep_time(request, clinic, picker, wanted)
        if found is None:
            return redirect("online:person", slug=slug, pk=wanted.pk)
    context = {
        "clinic": clinic,
        "picker": picker,
        "draft": draft,
        "trouble": found,
        "takes_walk_ins": booking.takes_walk_ins(clinic) and booking.walk_in_types(clinic, for_patient=True).exists(),
        "page_url": request.path,
    }
    is_part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    return render(request, "online/_changed.html" if is_part else "online/choose.html", context)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def now(request: HttpRequest, slug: str) -> HttpResponse:
    """See someone without an appointment: what for. POST goes on to who it is."""
    clinic = get_object_or_404(Clinic, slug=slug)
    if not SchedulePolicy.of(clinic).walk_ins:
        return _nothing(request, clinic)
    types = list(booking.walk_in_types(clinic, for_patient=True))
    visit_type = chosen(types, request.POST.get("type"))
    found: Trouble | None = None
    if request.method == "POST" and visit_type is not None and services.begins_too_often(request):
        found = trouble.too_many_walk_ins(clinic)
    elif request.method == "POST" and visit_type is not None and booking.takes_walk_ins(clinic):
        zone = zones.canonical(request.POST.get("zone", "")) or zones.canonical(clinic.time_zone)
        draft = Draft(clinic=str(clinic.pk), visit_type=str(visit_type.pk), zone=zone, is_walk_in=True)
        _keep_draft(request, draft)
        return redirect("online:person", slug=slug, pk=draft.pk)
    context = {
        "clinic": clinic,
        "types": types,
        "trouble": found,
        "is_open": booking.takes_walk_ins(clinic) and bool(types),
        "books_online": SchedulePolicy.of(clinic).online_booking,
        "is_missing": request.method == "POST" and visit_type is None,
    }
    return render(request, "online/now.html", context)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Who it is and where to reach them. POST has the code sent; what was typed is kept whatever happens."""
    clinic, draft = _clinic_and_draft(request, slug, pk)
    if draft is None:
        return _no_draft(request, clinic)
    by_sms = ReminderPolicy.of(clinic).sms
    if request.method != "POST":
        form = PersonForm(initial=draft.typed, zone=draft.zone, by_sms=by_sms)
        return _person_page(request, clinic, draft, form, trouble.of_time(clinic, draft))
    draft.typed = {name: request.POST[name][:LONGEST] for name in PersonForm.TYPED if name in request.POST}
    _keep_draft(request, draft)
    if "choose" in request.POST:
        found = _keep_time(request, clinic, picker_of(clinic, draft, request.POST["choose"]), draft)
        if found is None:
            return redirect("online:person", slug=slug, pk=draft.pk)
        form = PersonForm(initial=draft.typed, zone=draft.zone, by_sms=by_sms)
        return _person_page(request, clinic, draft, form, found)
    form = PersonForm(request.POST, zone=draft.zone, by_sms=by_sms)
    is_valid = form.is_valid()
    found = trouble.of_time(clinic, draft)
    if not is_valid or found:
        return _person_page(request, clinic, draft, form, found)
    draft.given_name, draft.family_name = form.cleaned_data["given_name"], form.cleaned_data["family_name"]
    draft.birth_date = form.cleaned_data["birth_date"].isoformat()
    found = _send_code(request, clinic, draft, form.cleaned_data["channel"], form.cleaned_data["address"])
    _keep_draft(request, draft)
    if found:
        return _person_page(request, clinic, draft, form, found)
    return redirect("online:code", slug=slug, pk=draft.pk)


@public
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """The code that was sent. POST books, or sends another one (``again``), or keeps another time (``choose``)."""
    clinic, draft = _clinic_and_draft(request, slug, pk)
    if draft is None:
        return _no_draft(request, clinic)
    verification = Verification.objects.filter(pk=draft.verification).first() if draft.verification else None
    if not draft.is_filled_in or verification is None:
        return redirect("online:person", slug=slug, pk=draft.pk)
    form = CodeForm()
    found = trouble.of_time(clinic, draft)
    if request.method == "POST":
        if "again" in request.POST or "choose" in request.POST:
            found = _start_again(request, clinic, draft, verification)
            if found is None:
                return redirect("online:code", slug=slug, pk=draft.pk)
        elif found is None:
            form = CodeForm(request.POST)
            if form.is_valid():
                visit, found = _confirm(request, clinic, draft, form)
                if visit is not None:
                    drafts.end(request.session, draft)
                    return redirect("checkin:start" if draft.is_walk_in else "online:booked", pk=visit.pk)
    elif found is None and not verification.is_live():
        found = trouble.code_ended()
    context = {
        "clinic": clinic,
        "draft": draft,
        "details": draft.details(),
        "sent_to": verification,
        "form": form,
        "trouble": found,
        **_what(clinic, draft),
    }
    return render(request, "online/code.html", context)


# --- what is kept -----------------------------------------------------------------------------


def _clinic_and_draft(request: HttpRequest, slug: str, pk: uuid.UUID) -> tuple[Clinic, Draft | None]:
    """The draft, while the clinic lets patients do what it is for. Raises Http404 for a clinic that is not there."""
    clinic = get_object_or_404(Clinic, slug=slug)
    policy = SchedulePolicy.of(clinic)
    draft = drafts.find(request.session, clinic, pk)
    if draft is None:
        return clinic, None
    return clinic, draft if (policy.walk_ins if draft.is_walk_in else policy.online_booking) else None


def _draft_named(request: HttpRequest, clinic: Clinic, pk: str) -> Draft | None:
    draft = drafts.find(request.session, clinic, pk) if pk else None
    return draft if draft and not draft.is_walk_in else None


def _keep_draft(request: HttpRequest, draft: Draft) -> None:
    """In the session; what had to make room for it holds no time any more."""
    for gone in drafts.keep(request.session, draft):
        hold = hold_of(gone)
        if hold is not None:
            booking.release(hold)


def _keep_time(request: HttpRequest, clinic: Clinic, picker: Picker, draft: Draft) -> Trouble | None:
    """Keep what the picker says for the draft; what is in the way, if so."""
    if picker.wanted is None:
        return trouble.no_time()
    try:
        hold = services.keep_time(picker=picker, start=picker.wanted, request=request)
    except services.TooManyHolds:
        return trouble.too_many_holds(clinic)
    except services.NotFree:
        return trouble.just_taken(picker, picker.wanted)
    draft.visit_type, draft.zone = str(hold.visit_type_id), picker.zone
    draft.practitioner = str(picker.practitioner.pk) if picker.practitioner else ""
    draft.holds(hold)
    _keep_draft(request, draft)
    return None


def _send_code(request: HttpRequest, clinic: Clinic, draft: Draft, channel: str, address: str) -> Trouble | None:
    """Have a code sent; from now on the time is kept for five minutes anew, and the code is good for as long."""
    expires_at = codes.good_until()
    hold = hold_of(draft)
    try:
        verification = codes.send(
            clinic=clinic,
            channel=channel,
            address=address,
            expires_at=expires_at,
            language=page_language(),
            request=request,
        )
    except TooManyCodes:
        return trouble.too_many_codes(clinic)
    if hold is not None:
        booking.extend(hold, until=expires_at)
    draft.verification = str(verification.pk)
    return None


def _start_again(request: HttpRequest, clinic: Clinic, draft: Draft, verification: Verification) -> Trouble | None:
    """Another code, and before that the time kept again, or another one."""
    if "choose" in request.POST:
        found = _keep_time(request, clinic, picker_of(clinic, draft, request.POST["choose"]), draft)
        if found:
            return found
    elif found := trouble.of_time(clinic, draft):
        return found
    found = _send_code(request, clinic, draft, verification.channel, verification.address)
    # Also where no more codes are sent: the one that was sent is for the time that was kept before.
    _keep_draft(request, draft)
    return found


def _confirm(
    request: HttpRequest, clinic: Clinic, draft: Draft, form: CodeForm
) -> tuple[Appointment | None, Trouble | None]:
    """The visit; or why not: a wrong code is said at the field, anything else as what is in the way."""
    proof: dict[str, Any] = {
        "verification": draft.verification,
        "code": form.cleaned_data["code"],
        "details": draft.details(),
        "zone": draft.zone,
        "request": request,
    }
    try:
        if draft.is_walk_in:
            visit_type = get_object_or_404(booking.walk_in_types(clinic, for_patient=True), pk=draft.visit_type)
            return services.walk_in(visit_type=visit_type, **proof), None
        hold = hold_of(draft)
        if hold is None:
            return None, trouble.of_time(clinic, draft)
        return services.book(hold=hold, **proof), None
    except WrongCode as wrong:
        left = ngettext("%(count)d try left.", "%(count)d tries left.", wrong.tries_left)
        form.add_error("code", f"{_('That is not the code.')} {left % {'count': wrong.tries_left}}")
        return None, None
    except CodeEnded:
        return None, trouble.code_ended()
    except booking.BookingError as refusal:
        return None, trouble.refused(clinic, draft, refusal)


# --- pages ------------------------------------------------------------------------------------


def _person_page(
    request: HttpRequest, clinic: Clinic, draft: Draft, form: PersonForm, found: Trouble | None
) -> HttpResponse:
    context = {"clinic": clinic, "draft": draft, "form": form, "trouble": found, **_what(clinic, draft)}
    return render(request, "online/person.html", context)


def _what(clinic: Clinic, draft: Draft) -> dict[str, Any]:
    """What is being booked, in words for the page."""
    if draft.is_walk_in:
        return {"visit_type": VisitType.objects.filter(clinic=clinic, pk=draft.visit_type).first()}
    hold = hold_of(draft)
    wanted = of_page(cast(datetime, draft.wanted), draft.zone)
    there = Moment(wanted.instant, clinic.time_zone, wanted.language)
    return {
        "hold": hold,
        "visit_type": hold.visit_type if hold else VisitType.objects.filter(clinic=clinic, pk=draft.visit_type).first(),
        "when": wanted,
        "at_clinic": None if there.is_same_clock(wanted) else there,
        "kept_until": of_page(hold.expires_at, draft.zone) if hold else None,
    }


def _nothing(request: HttpRequest, clinic: Clinic) -> HttpResponse:
    """The clinic lets nobody book here, or not any more: whom to call."""
    return render(request, "online/nothing.html", {"clinic": clinic}, status=404)


def _no_draft(request: HttpRequest, clinic: Clinic) -> HttpResponse:
    """A booking that is not under way in this browser: booked already, too old, somebody else's, or not let go on."""
    if not SchedulePolicy.of(clinic).online_booking:
        return _nothing(request, clinic)
    return render(request, "online/ended.html", {"clinic": clinic}, status=410)
