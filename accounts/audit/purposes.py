"""What for something was done: http://terminology.hl7.org/ValueSet/v3-PurposeOfUse, as far as it is told apart here."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEvent
from accounts.policy import Role


class Purpose(TextChoices):
    TREATMENT = "TREAT", _("treatment")
    EMERGENCY = "BTG", _("emergency access")
    OPERATIONS = "HOPERAT", _("the clinic’s operations")
    PATIENT = "PATRQT", _("the patient’s own wish")
    FAMILY = "FAMRQT", _("the wish of who acts for the patient")
    COMPLIANCE = "HCOMPL", _("review of compliance")
    SYSTEM = "HSYSADMIN", _("running the system")


# Whoever comes in a role does what it is for; an event with a purpose of its own has it in its detail.
OF_ROLE = {
    Role.PATIENT: Purpose.PATIENT,
    Role.GUEST: Purpose.PATIENT,
    Role.PROXY: Purpose.FAMILY,
    Role.CLINICIAN: Purpose.TREATMENT,
    Role.FRONT_DESK: Purpose.OPERATIONS,
    Role.CLINIC_ADMIN: Purpose.OPERATIONS,
    Role.AUDITOR: Purpose.COMPLIANCE,
}


def purpose_of_event(event: AuditEvent) -> Purpose | None:
    """FHIR R4 AuditEvent.purposeOfEvent; None of somebody who had no role yet, as when they sign in."""
    stated = event.detail.get("purpose")
    if stated in Purpose:
        return Purpose(stated)
    if event.role:
        return OF_ROLE[Role(event.role)]
    return None if event.user_id or event.link_id else Purpose.SYSTEM
