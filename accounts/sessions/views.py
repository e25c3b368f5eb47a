"""Where one is signed in: a list, each to be ended; and what a page asks to stay signed in."""

import uuid
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.doors import for_verified
from accounts.login.services import home_clinic
from accounts.login.steps import sign_in_page
from accounts.models import Session, User
from accounts.sessions import services
from accounts.sessions.devices import words_for
from accounts.sessions.store import SessionStore


@for_verified
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    own = _own(request)
    sessions = sorted(services.open_of(user), key=lambda session: session.pk != own.pk)
    context = {
        "sessions": [(session, words_for(session.user_agent)) for session in sessions],
        "own": own,
        "clinic": home_clinic(user),
    }
    return render(request, "accounts/sessions.html", context)


@for_verified
@require_POST
def end(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """End one of one's own. Raises Http404 for anybody else's, and for one that has ended."""
    session = services.open_of(cast(User, request.user)).filter(pk=pk).first()
    if session is None:
        raise Http404
    is_own = session.pk == _own(request).pk
    services.end(request=request, session=session)
    if is_own:
        page = sign_in_page(request.user)
        request.session.flush()
        return redirect(page)
    messages.success(request, _("That session is ended."))
    return redirect("accounts:sessions")


@for_verified
@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    user, own = cast(User, request.user), cast(SessionStore, request.session)
    services.end_all(user, why="person", but=own, request=request)
    messages.success(request, _("All other sessions are ended."))
    return redirect("accounts:sessions")


@for_verified
@require_POST
def extend(request: HttpRequest) -> HttpResponse:
    """Somebody is there: the session lasts on, as long as it may in all."""
    services.note_activity(_own(request), at_once=True)
    return HttpResponse(status=204)


def _own(request: HttpRequest) -> Session:
    return cast(Session, cast(SessionStore, request.session).row)
