"""What happens to sessions: they begin, somebody is active in them, they end."""

import uuid
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import cast

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.audit import services as audit
from accounts.audit.address import client_address
from accounts.login.services import home_clinic
from accounts.models import AuditEvent, Session, User
from accounts.principal import Principal
from accounts.sessions.limits import limit_of
from accounts.sessions.store import SessionStore

NOTE_EVERY = timedelta(seconds=30)  # activity is written down no more often than that


def begin(*, request: HttpRequest, user: User) -> None:
    """Somebody has given their password or passkey: from now on the session is theirs."""
    store = cast(SessionStore, request.session)
    if store.row is None:
        store.save()
    row = cast(Session, store.row)
    now = timezone.now()
    row.user, row.began_at, row.seen_at = user, now, now
    row.expires_at = limit_of(user).end(began_at=now, seen_at=now)
    row.user_agent = request.META.get("HTTP_USER_AGENT", "")[:300]
    row.network = network_of(client_address(request))
    row.save(update_fields=["user", "began_at", "seen_at", "expires_at", "user_agent", "network"])


def network_of(address: str | None) -> str:
    """As much of an address as tells its owner's places apart: a /24, or an IPv6 /48."""
    if address is None:
        return ""
    found = ip_address(address)
    return str(ip_network(f"{found}/{24 if found.version == 4 else 48}", strict=False))


def note_activity(row: Session, *, at_once: bool = False) -> None:
    """Somebody does something: the session ends later, though not after its absolute limit. Revives nothing."""
    now = timezone.now()
    if row.seen_at > now - NOTE_EVERY and not at_once:
        return
    end = limit_of(row.user).end(began_at=row.began_at, seen_at=now)
    if Session.objects.filter(pk=row.pk, expires_at__gt=now).update(seen_at=now, expires_at=end):
        row.seen_at, row.expires_at = now, end


def note_activity_of(session_id: uuid.UUID) -> None:
    """The same for a session whose socket shows that somebody is there."""
    row = Session.objects.select_related("user").filter(pk=session_id).first()
    if row is not None:
        note_activity(row)


def open_of(user: User) -> QuerySet[Session]:
    """The person's sessions that have not ended, the last active first."""
    return Session.objects.filter(user=user, expires_at__gt=timezone.now())


def end(*, request: HttpRequest, session: Session) -> None:
    """End one session of the signed-in person or, in the admin, of somebody else."""
    with transaction.atomic():
        owner = cast(User, session.user)
        principal: Principal | None = getattr(request, "principal", None)
        audit.record(
            "session.end",
            AuditEvent.Action.DELETE,
            principal=principal,
            user=None if principal else cast(User, request.user),
            clinic=principal.clinic if principal else home_clinic(owner),
            entity=session,
            request=request,
            detail={"account": str(owner.pk)},
        )
        session.delete()


def end_all(user: User, *, why: str, but: SessionStore | None = None, request: HttpRequest | None = None) -> int:
    """End all sessions of ``user``, with their sockets, except for that of the person who asks; how many.

    ``why`` is a code for the trail: what happened to the account. Call it in the transaction of that.
    """
    with transaction.atomic():
        gone = Session.objects.filter(user=user)
        kept = but.row if but is not None else None
        if kept is not None:
            gone = gone.exclude(pk=kept.pk)
        count = gone.delete()[0]
        principal: Principal | None = getattr(request, "principal", None)
        if count:
            audit.record(
                "session.end-all",
                AuditEvent.Action.DELETE,
                principal=principal,
                user=request.user if request and request.user.is_authenticated else None,
                clinic=principal.clinic if principal else home_clinic(user),
                entity=user,
                request=request,
                detail={"why": why, "sessions": count},
            )
    return count
