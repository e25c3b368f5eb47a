"""The doors' rules for sockets: django-otp's middleware knows HTTP only.

A socket outlives the request that opened it, and Channels keeps what it read then. So both
functions read the session again: signing out, a deactivated user and a revoked link are noticed.
"""

from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from accounts.principal import Principal, link_principal, staff_principal


@database_sync_to_async
def staff_of(scope: dict[str, Any]) -> Principal | None:
    """The verified member of staff behind a socket, read anew from the database."""
    session = _session(scope)
    user = get_user(cast(HttpRequest, SimpleNamespace(session=session)))
    return staff_principal(user, session)


@database_sync_to_async
def party_of(scope: dict[str, Any], resource_id: str) -> Principal | None:
    """The bearer of a live link to ``resource_id`` behind a socket, read anew from the database."""
    return link_principal(_session(scope), resource_id)


def _session(scope: dict[str, Any]) -> SessionBase:
    store: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    return store
