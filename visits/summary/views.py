"""The pages of staff: write, publish, correct, read."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.doors import PrincipalRequest, for_staff
from accounts.emergency.services import purpose_of
from accounts.policy import Action
from visits.booking.access import appointment_for
from visits.booking.models import Appointment
from visits.schedule.moment import of_page
from visits.summary import services
from visits.summary.access import PUBLISHED, may_write, visit_to_write
from visits.summary.forms import SummaryForm
from visits.summary.models import Composition


@require_safe
@for_staff(Action.SUMMARY_READ)
def visit(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """All that was published, the newest first; where nothing was, on to the writing for who may."""
    found = appointment_for(request.principal, pk, Action.SUMMARY_READ)
    versions = list(PUBLISHED.filter(appointment=found).order_by("-version"))
    is_author = may_write(request.principal, found)
    if not versions:
        if is_author:
            return redirect("summary:write", pk=pk)
        purpose_of(request.principal, found.patient)  # whether there is one is told to who may read it
        raise Http404
    _note_look(request, found, versions[0])
    links = services.links_of(found)
    context = {
        "visit": found,
        "newest": versions[0],
        "older": versions[1:],
        "may_write": is_author,
        "has_draft": services.draft_of(found).saves > 0,
        "opened_at": min((link.first_used_at for link in links if link.first_used_at), default=None),
        "may_end_links": request.principal.may(Action.VISIT_CHANGE) and any(link.is_live() for link in links),
    }
    return render(request, "summary/visit.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff(Action.SUMMARY_WRITE)
def write(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """The draft of the next version. POST keeps it (``do`` is "save", or "autosave" by the script) or publishes it."""
    found = visit_to_write(request.principal, pk)
    draft = services.draft_of(found)
    if request.method != "POST":
        return _write_page(request, found, SummaryForm(version=draft), draft)
    do = request.POST.get("do", "save")
    # Of what was published or saved meanwhile the answer is the service's, not that the form lacks something.
    is_final = do == "publish" and request.POST.get("seen") == draft.token
    form = SummaryForm(request.POST, version=draft, is_final=is_final)
    if not form.is_valid():
        if do == "autosave":
            return JsonResponse({}, status=422)
        return _write_page(request, found, form, draft)
    try:
        change = services.publish if do == "publish" else services.save
        version = change(principal=request.principal, visit=found, text=form.text(), seen=form.cleaned_data["seen"])
    except services.Meanwhile as meanwhile:
        if do == "autosave":
            return JsonResponse({}, status=409)
        return _meanwhile_page(request, found, form, meanwhile.current)
    except services.Unchanged:
        form.add_error(None, _("This is word for word what the patient has."))
        return _write_page(request, found, form, draft)
    if do == "autosave":
        at = of_page(version.saved_at, str(timezone.get_current_timezone()))
        return JsonResponse({"seen": version.token, "saved": at.time})
    if do == "publish":
        messages.success(request, _("The summary is published. The patient gets a message with a link to it."))
        return redirect("summary:visit", pk=pk)
    messages.success(request, _("The draft is saved. The patient does not see it yet."))
    return redirect("summary:write", pk=pk)


@require_POST
@for_staff(Action.VISIT_CHANGE)
def end_links(request: PrincipalRequest, pk: uuid.UUID) -> HttpResponse:
    """Take the patient's links to the summary back."""
    found = appointment_for(request.principal, pk, Action.VISIT_CHANGE)
    count = services.end_links(principal=request.principal, visit=found)
    words = ngettext("%(count)d link opens nothing any more.", "%(count)d links open nothing any more.", count)
    messages.success(request, words % {"count": count})
    return redirect("room:visit", pk=pk)


def _note_look(request: PrincipalRequest, found: Appointment, version: Composition) -> None:
    record(
        "summary.view",
        Audit.READ,
        principal=request.principal,
        entity=found if version._state.adding else version,
        patient=found.patient,
        request=request,
        detail={"purpose": purpose_of(request.principal, found.patient)},
    )


def _meanwhile_page(
    request: PrincipalRequest, found: Appointment, form: SummaryForm, current: Composition
) -> HttpResponse:
    """Both texts; what is saved from here on knows of the other."""
    draft = services.draft_of(found)
    again = SummaryForm(version=draft, text=form.text())
    return _write_page(request, found, again, draft, current, status=409)


def _write_page(
    request: PrincipalRequest,
    found: Appointment,
    form: SummaryForm,
    draft: Composition,
    current: Composition | None = None,
    status: int = 200,
) -> HttpResponse:
    _note_look(request, found, current or draft)
    context = {"visit": found, "form": form, "draft": draft, "current": current, "patient": found.patient}
    return render(request, "summary/write.html", context, status=status)
