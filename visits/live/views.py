"""Where pages fetch the tickets of their sockets (PROTOCOL.md)."""

import re
from http import HTTPStatus
from typing import cast

from django.http import HttpRequest, JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.http import require_http_methods
from redis import RedisError

from accounts.doors import automatic, public
from accounts.limit import too_many
from accounts.sessions.store import SessionStore
from visits.live import tickets

SOCKET = re.compile(r"/ws/[\w/-]{1,100}/", re.ASCII)
# A page without a line tries each of its two sockets some twenty times a minute, and there are several pages.
TICKETS_A_MINUTE = 300


@public
@automatic
@require_http_methods(["GET", "POST"])
def ticket(request: HttpRequest) -> JsonResponse:
    """POST: a ticket to the socket at ``path``, to whose browser has a session: the socket asks whose, and for rights.

    GET: the token to post with, for a page that has an old one since somebody has signed in elsewhere in its browser.
    """
    session = cast(SessionStore, request.session).read()
    if session is None:
        return JsonResponse({}, status=HTTPStatus.UNAUTHORIZED)
    if request.method == "GET":
        return JsonResponse({"token": get_token(request)})
    path = request.POST.get("path", "")
    if not SOCKET.fullmatch(path):
        return JsonResponse({}, status=HTTPStatus.BAD_REQUEST)
    if too_many(f"socket-ticket:{session.pk}", times=TICKETS_A_MINUTE, seconds=60):
        return JsonResponse({}, status=HTTPStatus.TOO_MANY_REQUESTS)
    try:
        return JsonResponse({"ticket": tickets.issue(session_id=session.pk, path=path)})
    except RedisError:
        return JsonResponse({}, status=HTTPStatus.SERVICE_UNAVAILABLE)
