"""The room's pages, the page after it, and the visit's record."""

import uuid
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.doors import PrincipalRequest, for_party, for_staff, public
from accounts.language import speak
from accounts.models import AccessLink
from accounts.policy import Action
from accounts.principal import SESSION_LINKS, party_principal
from visits.booking.access import appointment_for, note_look
from visits.booking.models import Appointment
from visits.room import guests, services
from visits.room.forms import GuestForm
from visits.room.record import record_of, waits_for_admission
from visits.room.words import room_words


@require_safe
@for_party
def party(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The call for the patient and guests: back to the waiting room until let in, on to the end when over."""
    visit = appointment_for(request.principal, pk, Action.VISIT_JOIN)
    if not visit.is_open:
        return redirect("room:left", pk=pk)
    if not services.open_to(request.principal, visit):
        return redirect("waiting:room", pk=pk)
    return render(request, "room/party.html", {"visit": visit, "words": room_words()})


@require_safe
@for_staff(Action.VISIT_JOIN)
def staff(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The call for clinicians, with what they need to know beside it."""
    visit = appointment_for(request.principal, pk, Action.VISIT_JOIN)
    if not services.open_to(request.principal, visit):
        messages.info(request, _("This visit is over."))
        return redirect("room:visit", pk=pk)
    note_look(request, visit)
    context = {
        "visit": visit,
        "words": room_words(),
        "check_in": getattr(visit, "check_in", None),
        "consent": getattr(visit, "consent", None),
        "waits": waits_for_admission(visit),
        "may_read_intake": request.principal.may(Action.INTAKE_READ),
        **_guests(visit),
    }
    return render(request, "room/staff.html", context)


@require_safe
@public
def left(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Where patients and guests land: the visit has ended, or they left and may return.

    Ending a visit takes its links back, so this page opens for anybody, and shows the clinic only to
    a browser that once redeemed a link to this visit, or in which its patient, or who acts for them, is signed in.
    """
    principal = party_principal(request.user, request.session, pk)
    if principal and principal.account and not Appointment.objects.filter(pk=pk, patient=principal.patient).exists():
        principal = None  # a guest, or who acts for somebody, may have an account of their own
    if principal is not None:
        visit = appointment_for(principal, pk, Action.VISIT_JOIN)
        if visit.status in {Appointment.Status.CANCELLED, Appointment.Status.NOSHOW}:
            return redirect("waiting:room", pk=pk)  # which says so
        if principal.bearer:
            speak(request, principal.bearer.language)
        may_return = services.open_to(principal, visit)
        return render(request, "room/left.html", {"clinic": principal.clinic, "visit": visit, "may_return": may_return})
    link_id = request.session.get(SESSION_LINKS, {}).get(str(pk))
    known = AccessLink.objects.select_related("clinic", "patient").filter(pk=link_id, resource_id=pk)
    link = known.first() if link_id else None
    if link and link.bearer:
        speak(request, link.bearer.language)
    return render(request, "room/left.html", {"clinic": link.clinic if link else None, "may_return": False})


@require_POST
@for_staff(Action.VISIT_END)
def end(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """End the visit for all."""
    visit = appointment_for(request.principal, pk, Action.VISIT_END)
    names = {"name": visit.patient.full_name}
    try:
        encounter = services.end(principal=request.principal, visit=visit)
    except services.NotBegun:
        messages.warning(request, _("The patient has not come in, so there is nothing to end."))
        return redirect("room:visit", pk=pk)
    except services.NotOpen:
        messages.warning(request, _("This visit has not begun."))
        return redirect("room:visit", pk=pk)
    if encounter.appointment.status == Appointment.Status.NOSHOW:
        words = _("%(name)s never came in, so the visit is marked as missed. They can still join the line again.")
        messages.warning(request, words % names)
    else:
        messages.success(request, _("The visit with %(name)s has ended.") % names)
    return redirect("waiting:today")


@require_safe
@for_staff(Action.VISIT_SEE)
def visit(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """What happened: state, people, messages, guests."""
    found = appointment_for(request.principal, pk, Action.VISIT_SEE)
    note_look(request, found)
    return _record_page(request, found)


@require_POST
@for_staff(Action.VISIT_INVITE)
def invite(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Make a guest's link and show it, this once: as a part of the page for htmx, else in the record."""
    found = appointment_for(request.principal, pk, Action.VISIT_INVITE)
    form = GuestForm(request.POST)
    address = ""
    if form.is_valid():
        try:
            _link, address = guests.invite_guest(principal=request.principal, visit=found, **form.cleaned_data)
            form = GuestForm()
        except guests.TooManyGuests:
            form.add_error(None, _("Four guests are invited already. Take a link back first."))
        except services.NotOpen:
            form.add_error(None, _("This visit is over."))
    return _guests_answer(request, found, form=form, address=address)


@require_POST
@for_staff(Action.VISIT_INVITE)
def revoke(request: PrincipalRequest, pk: uuid.UUID, link: uuid.UUID) -> HttpResponse:
    """Take a guest's link back."""
    found = appointment_for(request.principal, pk, Action.VISIT_INVITE)
    try:
        guests.revoke_guest(principal=request.principal, visit=found, link_id=link)
    except AccessLink.DoesNotExist:
        raise Http404 from None
    if not request.headers.get("HX-Request"):
        return redirect(f"{reverse('room:visit', kwargs={'pk': pk})}#guests")
    return _guests_answer(request, found)


def _guests_answer(
    request: PrincipalRequest, visit: Appointment, *, form: GuestForm | None = None, address: str = ""
) -> HttpResponse:
    extra = {**_guests(visit, form), "address": address}
    if request.headers.get("HX-Request"):
        return render(request, "room/_guests.html", {"visit": visit, **extra})
    note_look(request, visit)
    return _record_page(request, visit, **extra)


def _record_page(request: PrincipalRequest, visit: Appointment, **extra: object) -> HttpResponse:
    context = {"visit": visit, **record_of(request.principal, visit), **_guests(visit), **extra}
    return render(cast(HttpRequest, request), "room/visit.html", context)


def _guests(visit: Appointment, form: GuestForm | None = None) -> dict[str, object]:
    return {"guest_links": guests.shown_links(visit), "guest_form": form or GuestForm()}
