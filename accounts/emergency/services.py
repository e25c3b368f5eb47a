"""Whose record a clinician may open: those of the patients whom they treat, and others in an emergency.

HIPAA asks for both: the least that is necessary (45 CFR 164.502(b)) and a way in when somebody's life depends on it
(164.312(a)(2)(ii)). What was opened in an emergency says so on the trail, by the codes of FHIR's PurposeOfUse.
"""

from django.db import transaction
from django.http import Http404
from django.utils import timezone

from accounts.audit.purposes import Purpose
from accounts.audit.services import Action as Audit
from accounts.audit.services import record
from accounts.emergency.signals import treats
from accounts.emergency.tasks import tell_of
from accounts.models import EmergencyAccess, Patient
from accounts.policy import Action, Role
from accounts.principal import Principal


class AlreadyReviewed(Exception):
    """Somebody has said whether it was justified."""


class OwnAccess(Exception):
    """Nobody reviews themselves."""


class NotTreating(Exception):
    """A clinician asks for the record of a patient whom they do not treat."""

    def __init__(self, patient: Patient) -> None:
        super().__init__()
        self.patient = patient


def purpose_of(principal: Principal, patient: Patient) -> Purpose:
    """What for the principal may open what is clinical in the patient's record; the caller puts it on the trail.

    Other roles than clinicians do what their role allows, for the clinic's operations. Raises NotTreating.
    """
    if principal.role != Role.CLINICIAN:
        return Purpose.OPERATIONS
    if is_treating(principal, patient):
        return Purpose.TREATMENT
    if _live(principal, patient):
        return Purpose.EMERGENCY
    raise NotTreating(patient)


def is_open(principal: Principal, patient: Patient) -> bool:
    """Whether nothing stands in the way."""
    try:
        purpose_of(principal, patient)
    except NotTreating:
        return False
    return True


def is_treating(principal: Principal, patient: Patient) -> bool:
    """Whether they have, or had, a visit with the patient."""
    answers = treats.send(sender=Patient, user=principal.user, patient=patient)
    return any(answer for _receiver, answer in answers)


def _live(principal: Principal, patient: Patient) -> bool:
    now = timezone.now()
    live = EmergencyAccess.objects.filter(user=principal.user, patient=patient, clinic=principal.clinic)
    return live.filter(opened_at__lte=now, expires_at__gt=now).exists()


def open_record(*, principal: Principal, patient: Patient, reason: str) -> EmergencyAccess:
    """Open the record for an hour. The clinic's privacy contact is told at once, the patient sees it on their page.

    Raises Http404 for another clinic's patient, and for roles that treat nobody.
    """
    if principal.user is None or not principal.may(Action.RECORD_EMERGENCY) or patient.clinic_id != principal.clinic.pk:
        raise Http404
    with transaction.atomic():
        access = EmergencyAccess.objects.create(
            clinic=principal.clinic, user=principal.user, patient=patient, reason=reason
        )
        record(
            "record.emergency",
            Audit.EXECUTE,
            principal=principal,
            entity=access,
            patient=patient,
            detail={"purpose": Purpose.EMERGENCY, "until": access.expires_at.isoformat()},
        )
        transaction.on_commit(lambda: tell_of.delay(str(access.pk)), robust=True)
    return access


def review(*, principal: Principal, access: EmergencyAccess, finding: EmergencyAccess.Finding, note: str) -> None:
    """Say whether it was justified, once. Raises AlreadyReviewed, and OwnAccess for who opened it.

    The caller has checked that they review in this clinic.
    """
    with transaction.atomic():
        access = EmergencyAccess.objects.select_for_update().get(pk=access.pk)
        if access.finding:
            raise AlreadyReviewed
        if access.user == principal.user:
            raise OwnAccess
        access.finding, access.note = finding, note
        access.reviewed_by, access.reviewed_at = principal.user, timezone.now()
        access.save()
        record(
            "record.emergency-review",
            Audit.UPDATE,
            principal=principal,
            entity=access,
            patient=access.patient,
            detail={"finding": str(finding)},
        )
