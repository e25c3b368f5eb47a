"""Searching lists of the admin: the words, often names of patients, stay out of addresses and so out of logs.

They come by POST and are kept in the session; the list's address has a key of theirs, which opens nothing elsewhere.
"""

import secrets
from typing import Any

from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, SEARCH_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

SESSION_SEARCHES = "admin-searches"
KEPT = 20


def is_asked(request: HttpRequest) -> bool:
    """Whether the search form of a list was sent."""
    return request.method == "POST" and SEARCH_VAR in request.POST


def keep(request: HttpRequest) -> HttpResponse:
    """Keep the words that were sent, and go to the list of what they find."""
    address = request.GET.copy()
    for name in (SEARCH_VAR, PAGE_VAR, ERROR_FLAG):
        address.pop(name, None)
    words = request.POST[SEARCH_VAR].replace("\0", "").strip()  # PostgreSQL fails at a NUL
    if words:
        key = secrets.token_urlsafe(9)
        searches = {**request.session.get(SESSION_SEARCHES, {}), key: words}
        request.session[SESSION_SEARCHES] = dict(list(searches.items())[-KEPT:])
        address[SEARCH_VAR] = key
    return redirect(f"{request.path}?{address.urlencode()}" if address else request.path)


class KeptSearch(ChangeList):
    """A list whose address names a kept search by its key."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.query: str = request.session.get(SESSION_SEARCHES, {}).get(request.GET.get(SEARCH_VAR), "")
        return super().get_queryset(request, exclude_parameters)
