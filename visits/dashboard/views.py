"""The clinic's own numbers, for who runs it."""

import csv

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.audit import services as audit
from accounts.doors import PrincipalRequest, for_staff
from accounts.models import AuditEvent
from accounts.policy import Action
from visits.dashboard.page import DashboardPage


@for_staff(Action.CLINIC_RUN)
@require_safe
def index(request: PrincipalRequest) -> HttpResponse:
    """Charts of the days asked for (``?days=``), beside as many before them."""
    page = DashboardPage(request.principal.clinic, request.GET)
    return render(request, "dashboard/dashboard.html", {"page": page, "nav": "dashboard"})


@for_staff(Action.CLINIC_RUN)
@require_safe
def numbers(request: PrincipalRequest, name: str) -> HttpResponse:
    """One panel's table as comma-separated values (RFC 4180). Counts only: nothing of any patient."""
    page = DashboardPage(request.principal.clinic, request.GET)
    panel = page.panel(name)
    if panel is None:
        raise Http404
    detail = {"figure": name, "days": page.period.days}
    audit.record(
        "dashboard.export", AuditEvent.Action.EXECUTE, principal=request.principal, request=request, detail=detail
    )
    file = f"{name}-{page.period.first}-{page.period.last}.csv"
    answer = HttpResponse(
        content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{file}"'}
    )
    names = [column.name for column in panel.columns]
    before = [_("Before: %(name)s") % {"name": one} for one in names]
    rows = zip(panel.codes, panel.values, strict=True)
    csv.writer(answer).writerows([[panel.per, *names, *before], *([code, *values] for code, values in rows)])
    return answer
