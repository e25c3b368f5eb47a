"""Nobody reaches a view without passing its door."""

import uuid
from collections.abc import Callable
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts import doors
from accounts.audit import services as audit
from accounts.audit.current import current_request
from accounts.emergency import services as emergency
from accounts.language import speak
from accounts.models import AuditEvent, User
from accounts.policy import Action, allows
from accounts.principal import (
    OwnLinkNeeded,
    Principal,
    account_principal,
    party_principal,
    staff_principal,
    verified_user,
)
from accounts.sessions import services as sessions
from accounts.sessions.store import SessionStore

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Gives each request an id that the audit trail and the response share."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        token = current_request.set(request)
        try:
            response = self.get_response(request)
        finally:
            current_request.reset(token)
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        return response


class AccessMiddleware:
    """Closed unless the view's mark opens it (see ``accounts.doors``); staff need a second factor.

    The rights are read from the database at each request, so who is disabled, whose membership
    ended or whose link was revoked is out at the next one. Each but those that pages make by themselves keeps the
    session alive.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = None  # type: ignore[attr-defined]
        try:
            return self.get_response(request)
        finally:
            # The thread serves somebody else next.
            timezone.deactivate()

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        answer = self._door(request, view, kwargs)
        session = cast(SessionStore, request.session).row
        if session is not None and not getattr(view, doors.AUTOMATIC, False):
            sessions.note_activity(session)
        return answer

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Who asks for a record that they do not treat is asked why, and comes back. Who came by a link that staff
        have seen hears how to get one of their own."""
        if isinstance(exception, OwnLinkNeeded):
            return render(request, "accounts/own_link_needed.html", {"pk": _pk_of(request)}, status=403)
        if not isinstance(exception, emergency.NotTreating):
            return None
        url = reverse("accounts:emergency", args=[exception.patient.pk])
        is_page = request.method in {"GET", "HEAD"} and not request.headers.get("HX-Request")
        came_from = request.get_full_path() if is_page else urlsplit(request.headers.get("HX-Current-URL", "")).path
        return _send_to(request, f"{url}?{urlencode({'next': came_from})}" if came_from else url)

    def _door(
        self, request: HttpRequest, view: Callable[..., HttpResponse], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        mark = getattr(view, doors.MARK, None)
        if mark == doors.PUBLIC:
            if request.user.is_authenticated:
                speak(request, request.user.language)
            return None
        if mark == doors.PARTY:
            principal = party_principal(request.user, request.session, kwargs["pk"])
            if principal is None:
                # Whose second factor is still to come is led to it by the page where they sign in.
                signs_in = _is_party(request.user) and account_principal(request.user, request.session) is None
                page = "patient-signin" if signs_in else "link-needed"
                return _send_to(request, reverse(f"accounts:{page}"))
            _enter(request, principal)
            return None
        if mark in {doors.ACCOUNT, doors.VERIFIED}:
            principal = account_principal(request.user, request.session)
            if principal is not None:
                _enter(request, principal)
                return None
        if mark == doors.ACCOUNT or (mark == doors.VERIFIED and _is_party(request.user)):
            return _to_sign_in(request, "accounts:patient-signin")
        user = verified_user(request.user, request.session)
        if user is None or _is_party(user):
            return _to_sign_in(request)
        speak(request, user.language)
        return _staff_door(request, user, staff_principal(user, request.session), mark)


def _pk_of(request: HttpRequest) -> Any:
    """What the address names."""
    return request.resolver_match.kwargs["pk"] if request.resolver_match else None


def _is_party(user: Any) -> bool:
    return bool(user.is_authenticated and user.is_party)


def _staff_door(request: HttpRequest, user: User, principal: Principal | None, mark: Any) -> HttpResponse | None:
    in_admin = request.resolver_match is not None and "admin" in request.resolver_match.app_names
    if in_admin and not user.is_staff:
        _refuse(request, user, principal, "admin")
    if principal is None:
        if mark == doors.VERIFIED or (in_admin and user.is_superuser):
            return None
        return redirect("accounts:no-clinic")
    if isinstance(mark, Action) and not allows(principal.role, mark):
        _refuse(request, user, principal, str(mark))
    _enter(request, principal)
    return None


def _refuse(request: HttpRequest, user: User, principal: Principal | None, what: str) -> NoReturn:
    """Put on the trail who tried what their role may not do (OWASP ASVS 5.0, 16.3.2), and raise PermissionDenied."""
    audit.record(
        "access.refuse",
        AuditEvent.Action.EXECUTE,
        principal=principal,
        user=user,
        outcome=AuditEvent.Outcome.MINOR_FAILURE,
        request=request,
        detail={"action": what},
    )
    raise PermissionDenied


def _enter(request: HttpRequest, principal: Principal) -> None:
    """Let them in, in their own language and time zone (else the clinic's)."""
    request.principal = principal  # type: ignore[attr-defined]
    if principal.bearer:
        speak(request, principal.bearer.language)
    whose = principal.user or principal.patient
    own = whose.time_zone if whose else ""
    timezone.activate(own or principal.clinic.time_zone)


def _to_sign_in(request: HttpRequest, page: str = "accounts:signin") -> HttpResponse:
    if not request.htmx and request.method not in {"GET", "HEAD"}:  # type: ignore[attr-defined]
        # What was sent is not carried along: it may be somebody else who signs in here next.
        return render(request, "signed_out.html", {"page": page}, status=403)
    wanted = request.htmx.current_url_abs_path if request.htmx else request.get_full_path()  # type: ignore[attr-defined]
    query = {"next": wanted} if wanted else {}
    had_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    if had_session and cast(SessionStore, request.session).read() is None:
        query["ended"] = "1"
    url = reverse(page)
    return _send_to(request, f"{url}?{urlencode(query)}" if query else url)


def _send_to(request: HttpRequest, url: str) -> HttpResponse:
    """Another page, also where htmx asked for a part of this one."""
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=403)
        response["HX-Redirect"] = url
        return response
    return redirect(url)
