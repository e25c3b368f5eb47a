"""People, clinics, links and the audit trail."""

from accounts.models.audit import AuditAnchor, AuditEvent, AuditSeal, UnsealedEvent
from accounts.models.clinic import Clinic, Membership, Patient, Practitioner
from accounts.models.emergency import EmergencyAccess
from accounts.models.invitation import Invitation
from accounts.models.link import AccessLink
from accounts.models.patient_code import PatientCode
from accounts.models.related_person import RelatedPerson
from accounts.models.session import Session
from accounts.models.totp import TOTPDevice
from accounts.models.user import User

__all__ = [
    "AccessLink",
    "AuditAnchor",
    "AuditEvent",
    "AuditSeal",
    "Clinic",
    "EmergencyAccess",
    "Invitation",
    "Membership",
    "Patient",
    "PatientCode",
    "Practitioner",
    "RelatedPerson",
    "Session",
    "TOTPDevice",
    "UnsealedEvent",
    "User",
]
