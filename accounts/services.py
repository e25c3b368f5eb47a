"""Clinics: making one, going from one to another."""

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from accounts.audit import services as audit
from accounts.models import AuditEvent, Clinic, Membership, User
from accounts.principal import SESSION_CLINIC


class NotAMember(Exception):
    """The user has no active membership in that clinic."""


def switch_clinic(*, request: HttpRequest, clinic_id: str) -> Clinic:
    """Work in another clinic from now on, in this session. Raises NotAMember."""
    user = cast(User, request.user)
    try:
        membership = (
            Membership.objects.select_related("clinic").filter(user=user, is_active=True, clinic_id=clinic_id).first()
        )
    except ValidationError:  # not an id at all
        membership = None
    if membership is None:
        raise NotAMember
    with transaction.atomic():
        request.session[SESSION_CLINIC] = str(membership.clinic_id)
        audit.record(
            "clinic.switch",
            AuditEvent.Action.EXECUTE,
            user=user,
            clinic=membership.clinic,
            entity=membership.clinic,
            request=request,
        )
    return membership.clinic


def create_clinic(*, user: User | None = None, **fields: Any) -> Clinic:
    """Make a clinic. Raises ValidationError for values that do not fit."""
    clinic = Clinic(**fields)
    clinic.full_clean()
    with transaction.atomic():
        clinic.save()
        audit.record("clinic.create", AuditEvent.Action.CREATE, user=user, clinic=clinic, entity=clinic)
    return clinic


def only_clinic() -> Clinic | None:
    """The clinic whose name and phone help a stranger: known where the installation has just one."""
    clinics = Clinic.objects.all()[:2]
    return clinics[0] if len(clinics) == 1 else None
