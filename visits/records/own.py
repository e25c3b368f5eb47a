"""The patient's own page of their record: who has it, how long, and asking for a copy of it."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.doors import PrincipalRequest, for_party
from accounts.policy import Action
from visits.booking.access import appointment_for
from visits.records.models import RecordCopy
from visits.records.services import copies


@for_party
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """What a copy is, and whether one is asked for; POST asks. The clinic hands it over: a link opens one visit."""
    visit = appointment_for(request.principal, pk, Action.RECORD_ASK)
    if request.method == "POST":
        copies.ask(principal=request.principal, visit=visit)
        messages.success(request, _("The clinic has your request."))
        return redirect("records:ask", pk=pk)
    under_way = copies.COPIES.filter(patient=visit.patient, state__in=RecordCopy.UNDER_WAY).first()
    context = {
        "opened": visit,
        "under_way": under_way,
        "may_see_visits": request.principal.may(Action.PAST_SEE),
    }
    return render(request, "records/ask.html", context)
