"""Secret links: issue, redeem, revoke. The token exists only in the message that carries it."""

import secrets
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.audit import services as audit
from accounts.models import AccessLink, AuditEvent, Clinic, Patient, RelatedPerson, User
from accounts.principal import SESSION_LINKS, Principal, principal_of

TOKEN_BYTES = 32


class State(StrEnum):
    """Why a link opens nothing any more."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    LOCKED = "locked"


class LinkClosed(Exception):
    """The link opens nothing: ``state`` says why."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state = state


class WrongBirthDate(Exception):
    """The birth date is not the patient's: ``tries_left`` more wrong ones lock the link."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        self.tries_left = tries_left


def issue(
    *,
    kind: AccessLink.Kind,
    clinic: Clinic,
    resource_id: uuid.UUID,
    expires_at: datetime,
    scope: AccessLink.Scope = AccessLink.Scope.VISIT,
    patient: Patient | None = None,
    related_person: RelatedPerson | None = None,
    name: str = "",
    relationship: str = "",
    created_by: User | None = None,
) -> tuple[AccessLink, str]:
    """Make a link to ``resource_id``; return it and its absolute URL, which cannot be had again.

    A patient's link needs ``patient``, that of who acts for them ``related_person`` too, a guest's ``name`` and opens a
    visit: IntegrityError otherwise.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        link = AccessLink.objects.create(
            token_hash=hash_token(token),
            kind=kind,
            clinic=clinic,
            resource_id=resource_id,
            scope=scope,
            expires_at=expires_at,
            patient=patient,
            related_person=related_person,
            name=name,
            relationship=relationship,
            created_by=created_by,
        )
        audit.record(
            "link.issue",
            AuditEvent.Action.CREATE,
            user=created_by,
            clinic=clinic,
            entity=link,
            patient=patient,
            detail={"kind": str(kind), "opens": str(resource_id)},
        )
    return link, settings.BASE_URL + reverse("accounts:link", kwargs={"token": token})


def find(token: str) -> AccessLink:
    """The link with this token, whatever its state. Raises LinkClosed(UNKNOWN)."""
    links = AccessLink.objects.select_related(*AccessLink.PEOPLE)
    link = links.filter(token_hash=hash_token(token)).first()
    if link is None:
        raise LinkClosed(State.UNKNOWN)
    return link


def check_open(link: AccessLink) -> None:
    """Raises LinkClosed when the link opens nothing any more."""
    if link.revoked_at is not None:
        raise LinkClosed(State.REVOKED)
    if link.failures >= link.MAX_FAILURES:
        raise LinkClosed(State.LOCKED)
    if link.related_person is not None and not link.related_person.is_active():
        raise LinkClosed(State.REVOKED)
    if not link.is_live():
        raise LinkClosed(State.EXPIRED)


def redeem(*, request: HttpRequest, link: AccessLink, birth_date: date | None = None) -> AccessLink:
    """Open ``link`` in the browser of ``request``: patients prove themselves by their birth date.

    A link may be redeemed on several devices. The session gets a new key and one more thing that it
    opens; whoever is signed in stays just as much, or as little, signed in.
    Raises LinkClosed, or WrongBirthDate: counted under the row's lock, so that parallel guesses
    have three tries together.
    """
    with transaction.atomic():
        # Of PostgreSQL's joined tables only the link can and need be locked.
        rows = AccessLink.objects.select_related(*AccessLink.PEOPLE).select_for_update(of=("self",))
        link = rows.get(pk=link.pk)
        check_open(link)
        right = link.patient is None or link.patient.birth_date == birth_date
        if right:
            AccessLink.objects.filter(pk=link.pk, first_used_at=None).update(first_used_at=timezone.now())
            _record_redeem(request, link, AuditEvent.Outcome.SUCCESS)
        else:
            AccessLink.objects.filter(pk=link.pk).update(failures=F("failures") + 1)
            link.failures += 1
            _record_redeem(request, link, AuditEvent.Outcome.MINOR_FAILURE)
    if not right:
        # Outside of the transaction, which must not roll the count back.
        if link.failures >= link.MAX_FAILURES:
            raise LinkClosed(State.LOCKED)
        raise WrongBirthDate(link.MAX_FAILURES - link.failures)
    _put_into(request.session, link)
    return link


def _record_redeem(request: HttpRequest, link: AccessLink, outcome: AuditEvent.Outcome) -> None:
    redeemed = outcome == AuditEvent.Outcome.SUCCESS
    # Who made a link could open it themselves, and know the birth date.
    made_by = {"made_by": str(link.created_by_id)} if link.created_by_id else {}
    audit.record(
        "link.redeem",
        AuditEvent.Action.EXECUTE,
        principal=principal_of(link) if redeemed else None,
        clinic=link.clinic,
        entity=link,
        patient=link.patient,
        outcome=outcome,
        request=request,
        detail=made_by | ({} if redeemed else {"wrong": link.failures, "locked": link.failures >= link.MAX_FAILURES}),
    )


def record_closed(request: HttpRequest, link: AccessLink, state: State) -> None:
    """Put on the trail that somebody tried a link that opens nothing any more."""
    audit.record(
        "link.redeem",
        AuditEvent.Action.EXECUTE,
        clinic=link.clinic,
        entity=link,
        patient=link.patient,
        outcome=AuditEvent.Outcome.MINOR_FAILURE,
        request=request,
        detail={"reason": str(state)},
    )


def last_opened(session: Mapping[str, Any]) -> AccessLink | None:
    """The link that a browser opened last, whether or not it still opens anything."""
    ids = list(session.get(SESSION_LINKS, {}).values())
    return AccessLink.objects.select_related(*AccessLink.PEOPLE).filter(pk=ids[-1]).first() if ids else None


def live_links(session: Mapping[str, Any]) -> list[AccessLink]:
    """The links that a browser has opened and that still open something, the newest first."""
    found = AccessLink.objects.filter(pk__in=session.get(SESSION_LINKS, {}).values()).order_by("-created_at")
    return [link for link in found if link.is_live()]


def _put_into(session: SessionBase, link: AccessLink) -> None:
    session[SESSION_LINKS] = {**session.get(SESSION_LINKS, {}), str(link.resource_id): str(link.pk)}
    session.cycle_key()


def revoke(*, principal: Principal | None, link: AccessLink, user: User | None = None) -> bool:
    """End one link now. Returns whether it was not ended before. ``user`` acts where there is no principal."""
    return _revoke(Q(pk=link.pk), principal, user) == 1


def revoke_all(*, resource_id: uuid.UUID, principal: Principal | None = None) -> int:
    """End all links to ``resource_id`` now; returns how many were not ended before."""
    return _revoke(Q(resource_id=resource_id), principal)


def revoke_of(person: RelatedPerson, *, principal: Principal | None = None) -> int:
    """End all links of who acted for a patient; returns how many were not ended before."""
    return _revoke(Q(related_person=person), principal)


def _revoke(which: Q, principal: Principal | None, user: User | None = None) -> int:
    with transaction.atomic():
        rows = AccessLink.objects.select_related(*AccessLink.PEOPLE).select_for_update(of=("self",))
        links = list(rows.filter(which, revoked_at=None).order_by("pk"))
        AccessLink.objects.filter(pk__in=[link.pk for link in links]).update(revoked_at=timezone.now())
        for link in links:
            audit.record(
                "link.revoke",
                AuditEvent.Action.UPDATE,
                principal=principal,
                user=user,
                clinic=link.clinic,
                entity=link,
                patient=link.patient,
            )
    return len(links)


def hash_token(token: str) -> str:
    """HMAC-SHA256 of the token under a key derived from SECRET_KEY: a stolen table opens nothing."""
    return salted_hmac("accounts.links", token, algorithm="sha256").hexdigest()
