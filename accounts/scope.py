"""The doors' rules for sockets: django-otp's middleware knows HTTP only.

A socket outlives the request that opened it, and Channels keeps what it read then. So all
functions read the session again: signing out, a deactivated user and a revoked link are noticed.
"""

import uuid
from types import SimpleNamespace
from typing import Any, cast

from channels.db import database_sync_to_async
from django.contrib.auth import get_user
from django.http import HttpRequest

from accounts.principal import Principal, account_principal, party_principal, staff_principal
from accounts.sessions.store import SessionStore

SESSION_ID = "session_id"


@database_sync_to_async
def staff_of(scope: dict[str, Any]) -> Principal | None:
    """The verified member of staff behind a socket, read anew from the database."""
    session = _session(scope)
    return staff_principal(_user(session), session)


@database_sync_to_async
def signed_in_of(scope: dict[str, Any]) -> Principal | None:
    """The verified member of staff, or who is signed in to a patient's account, behind a socket; read anew from the
    database."""
    session = _session(scope)
    user = _user(session)
    return staff_principal(user, session) or account_principal(user, session)


@database_sync_to_async
def party_of(scope: dict[str, Any], resource_id: str) -> Principal | None:
    """The bearer of a live link to ``resource_id``, or the patient who is signed in, behind a socket; read anew from
    the database."""
    session = _session(scope)
    return party_principal(_user(session), session, resource_id)


@database_sync_to_async
def find_session_id(scope: dict[str, Any]) -> uuid.UUID | None:
    """Of the session that opens the socket, whoever's it is; None when there is none, or it has ended."""
    row = _session(scope).row
    return row.pk if row is not None else None


def session_id_of(scope: dict[str, Any]) -> uuid.UUID:
    """Of the session that opened the socket, once one of the above has found somebody in it."""
    return cast(uuid.UUID, scope[SESSION_ID])


def _user(session: SessionStore) -> Any:
    return get_user(cast(HttpRequest, SimpleNamespace(session=session)))


def _session(scope: dict[str, Any]) -> SessionStore:
    """By the cookie the first time, then by its id: a new key for the same session closes nothing."""
    if SESSION_ID in scope:
        return SessionStore.of(scope[SESSION_ID])
    session = SessionStore(scope["session"].session_key)
    row = session.read()
    if row is not None:
        scope[SESSION_ID] = row.pk
    return session
