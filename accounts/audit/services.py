"""The only writer of the audit trail."""

from typing import Any

from django.db import models
from django.http import HttpRequest

from accounts.audit.address import client_address
from accounts.audit.current import current_request
from accounts.audit.digests import row_digest
from accounts.models import AuditEvent, Clinic, Patient, User
from accounts.principal import Principal

Action = AuditEvent.Action
Outcome = AuditEvent.Outcome


def record(
    subtype: str,
    action: AuditEvent.Action,
    *,
    principal: Principal | None = None,
    user: User | None = None,
    clinic: Clinic | None = None,
    entity: models.Model | None = None,
    patient: Patient | None = None,
    outcome: AuditEvent.Outcome = Outcome.SUCCESS,
    request: HttpRequest | None = None,
    detail: dict[str, Any] | None = None,
) -> AuditEvent:
    """Add one audit event; call it inside the transaction of what it records.

    ``principal`` is who acted (None: the system, or a stranger); ``user`` stands in before a
    principal exists (sign-in). ``detail`` holds codes, ids and counts only: no names, no clinical
    words, no secrets; who acts for a patient is its ``acts_as``, the id of the grant. ``request`` is the one that is
    being answered, unless said. FHIR R4 AuditEvent; 45 CFR 164.312(b).
    """
    request = request or current_request.get()
    acts_as = principal.acts_as if principal else None
    event = AuditEvent(
        subtype=subtype,
        action=action,
        outcome=outcome,
        clinic=clinic or (principal.clinic if principal else None),
        user=principal.user or principal.account if principal else user,
        link=principal.link if principal else None,
        role=principal.role if principal else "",
        entity_type=entity._meta.object_name or "" if entity else "",
        entity_id=str(entity.pk) if entity else "",
        patient=patient,
        address=client_address(request) if request else None,
        request_id=getattr(request, "request_id", ""),
        detail=(detail or {}) | ({"acts_as": str(acts_as.pk)} if acts_as else {}),
    )
    event.digest = row_digest(event)
    event.save(force_insert=True)
    return event
