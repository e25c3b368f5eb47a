"""Nobody reaches a view without passing its door."""

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts import doors
from accounts.policy import Action, allows
from accounts.principal import link_principal, staff_principal

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Gives each request an id that the audit trail and the response share."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class AccessMiddleware:
    """Closed unless the view's mark opens it (see ``accounts.doors``); staff need a second factor."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = None  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        mark = getattr(view, doors.MARK, None)
        if mark == doors.PUBLIC or _is_static(request):
            return None
        if mark == doors.PARTY:
            principal = link_principal(request.session, kwargs["pk"])
            if principal is None:
                return redirect("accounts:link-needed")
        else:
            principal = staff_principal(request.user, request.session)
            if principal is None:
                return _to_sign_in(request)
            if isinstance(mark, Action) and not allows(principal.role, mark):
                raise PermissionDenied
        request.principal = principal  # type: ignore[attr-defined]
        _speak_to(request)
        return None


def _is_static(request: HttpRequest) -> bool:
    return settings.DEBUG and request.path.startswith(settings.STATIC_URL)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=403)
        response["HX-Redirect"] = reverse("accounts:signin")
        return response
    if request.method not in {"GET", "HEAD"}:
        raise PermissionDenied
    return redirect(f"{reverse('accounts:signin')}?{urlencode({'next': request.get_full_path()})}")


def _speak_to(request: HttpRequest) -> None:
    """Use the clinic's (or the person's own) time zone for this request."""
    principal = request.principal  # type: ignore[attr-defined]
    zone = (principal.user.time_zone if principal.user else "") or principal.clinic.time_zone
    timezone.activate(zone)
