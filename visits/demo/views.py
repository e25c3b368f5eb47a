"""The demo's /dev/ pages: mails that were sent, people with their codes. Public, since the demo has nobody real."""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.doors import automatic, public
from visits.demo import cast, inbox, services


@public
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    try:
        ready: services.ReadyVisit | None = services.ready_visit()
    except services.NoFreeSlot:
        ready = None
    return _people_page(request, ready)


@public
@require_GET
@automatic
def codes(request: HttpRequest) -> HttpResponse:
    """The table alone, with the codes of now."""
    return render(request, "demo/_people.html", {"people": services.people()})


@public
@require_POST
def new_visit(request: HttpRequest) -> HttpResponse:
    try:
        made = services.new_visit()
    except services.NoFreeSlot:
        messages.warning(request, _("All clinicians are booked for the next hours."))
        return redirect("demo:people")
    return _people_page(request, made, is_new=True)


@public
@require_GET
def mail(request: HttpRequest) -> HttpResponse:
    """The list, and beside it the newest mail where the screen has room for both."""
    found = inbox.messages()
    return _mail_page(request, {"mails": found, "open": found[0] if found else None, "is_list": True})


@public
@require_GET
@automatic
def mail_list(request: HttpRequest) -> HttpResponse:
    """The list alone, for its own refreshing."""
    return render(request, "demo/_mails.html", {"mails": inbox.messages(), "open_pk": request.GET.get("open", "")})


@public
@require_GET
def message(request: HttpRequest, pk: str) -> HttpResponse:
    return _mail_page(request, {"mails": inbox.messages(), "open": _mail(pk)})


@public
@require_GET
def message_html(request: HttpRequest, pk: str) -> HttpResponse:
    """The mail as its sender drew it: mails have inline styles, so this page alone allows them, and no script."""
    response = HttpResponse(_mail(pk).html.replace("<head>", '<head><base target="_top">', 1))
    response._csp_replace = {  # type: ignore[attr-defined]
        "style-src": [UNSAFE_INLINE],
        "script-src": [NONE],
        "frame-ancestors": [SELF],
    }
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


@public
@require_GET
def attachment(request: HttpRequest, pk: str, number: int) -> HttpResponse:
    found = next((one for one in _mail(pk).attachments if one.number == number), None)
    if found is None:
        raise Http404
    return HttpResponse(
        found.content,
        content_type=found.content_type,
        headers={"Content-Disposition": f'attachment; filename="{found.name}"'},
    )


def _people_page(request: HttpRequest, ready: services.ReadyVisit | None, *, is_new: bool = False) -> HttpResponse:
    context = {
        "people": services.people(),
        "password": cast.PASSWORD,
        "ready": ready,
        "holder": services.patient_with_account(),
        "is_new": is_new,
    }
    return render(request, "demo/people.html", context | {"page": "people"})


def _mail_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    response = render(request, "demo/mail.html", context | {"page": "mail"})
    response._csp_update = {"frame-src": [SELF]}  # type: ignore[attr-defined]
    return response


def _mail(pk: str) -> inbox.Message:
    found = inbox.message(pk)
    if found is None:
        raise Http404
    return found
