"""The doors' rules for sockets: django-otp's middleware knows HTTP only."""

from typing import Any

from channels.db import database_sync_to_async

from accounts.principal import Principal, link_principal, staff_principal


@database_sync_to_async
def staff_of(scope: dict[str, Any]) -> Principal | None:
    """The verified member of staff behind a socket, read anew from the database."""
    return staff_principal(scope["user"], scope["session"])


@database_sync_to_async
def party_of(scope: dict[str, Any], resource_id: str) -> Principal | None:
    """The bearer of a live link to ``resource_id`` behind a socket, read anew from the database."""
    return link_principal(scope["session"], resource_id)
