"""The patient's side: read the summary by its link, have a link sent."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_party, public
from accounts.language import speak
from accounts.links import services as links
from accounts.links.views import unknown
from accounts.models import AccessLink
from accounts.policy import Action
from visits.booking.access import VISITS, appointment_for
from visits.schedule.moment import of_page
from visits.summary import services
from visits.summary.access import summary_for


@require_safe
@for_party
def read(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The newest version, whole, to read and to print."""
    summary = summary_for(request.principal, pk)
    visit = summary.appointment
    record("summary.read", Audit.READ, principal=request.principal, entity=summary, patient=visit.patient,
           request=request)  # fmt: skip
    zone = visit.patient.home_zone
    context = {
        "clinic": visit.clinic,
        "summary": summary,
        "when": of_page(visit.start, zone),
        "published": of_page(summary.published_at or summary.saved_at, zone),
    }
    return render(request, "summary/read.html", context)


@require_POST
@for_party
def send_link(request: PrincipalRequest, pk: uuid.UUID, other: uuid.UUID) -> HttpResponse:
    """From the list of their visits: have the link to the summary of another one sent to the address on file."""
    opened = appointment_for(request.principal, pk, Action.PAST_SEE)
    wanted = VISITS.filter(pk=other, clinic=opened.clinic, patient=opened.patient).first()
    if wanted is None:
        raise Http404
    services.send_link(wanted)
    messages.success(request, _("The link is on its way. It goes to the address that we have of you."))
    return redirect("online:visits", pk=pk)


@require_POST
@public
def renew(request: HttpRequest, token: str) -> HttpResponse:
    """By a link that has expired: have a new one sent to the address on file. Opens and shows nothing."""
    try:
        link = links.find(token)
        links.check_open(link)
    except links.LinkClosed as closed:
        if closed.state == links.State.UNKNOWN:
            return unknown(request)
        is_expired = closed.state == links.State.EXPIRED
    else:
        is_expired = False
    visit = VISITS.filter(compositions=link.resource_id, clinic=link.clinic, patient=link.patient).first()
    if not is_expired or link.scope != AccessLink.Scope.SUMMARY or link.patient is None or visit is None:
        raise Http404
    speak(request, link.patient.language)
    services.send_link(visit)
    return render(request, "summary/renewed.html", {"clinic": link.clinic})
