"""What patients want by a channel, and which of their addresses do not work."""

from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent, Patient
from visits.reminders.models import ContactPreference


def opt_out(patient: Patient, channel: str) -> None:
    """Note that the patient wants no more by ``channel``; twice is as good as once."""
    _set_opt_out(patient, channel, is_out=True)


def opt_in(patient: Patient, channel: str) -> None:
    """Take the patient's opt-out back."""
    _set_opt_out(patient, channel, is_out=False)


@transaction.atomic
def note_bounce(patient: Patient, channel: str, address: str) -> None:
    """Mark ``address`` as one that does not work: nothing more is sent there until the patient has another."""
    known, _ = ContactPreference.objects.get_or_create(patient=patient, channel=channel)
    if known.bounced_address == address:
        return
    known.bounced_at, known.bounced_address = timezone.now(), address
    known.save()
    _audit(patient, channel, "contact.bounce")


@transaction.atomic
def _set_opt_out(patient: Patient, channel: str, *, is_out: bool) -> None:
    known, _ = ContactPreference.objects.get_or_create(patient=patient, channel=channel)
    if (known.opted_out_at is not None) == is_out:
        return
    known.opted_out_at = timezone.now() if is_out else None
    known.save()
    _audit(patient, channel, "contact.opt-out" if is_out else "contact.opt-in")


def _audit(patient: Patient, channel: str, subtype: str) -> None:
    audit.record(
        subtype,
        AuditEvent.Action.UPDATE,
        clinic=patient.clinic,
        entity=patient,
        patient=patient,
        detail={"channel": channel},
    )
