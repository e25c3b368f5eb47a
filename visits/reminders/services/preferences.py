"""What patients want by a channel, and which of their addresses do not work."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent, Patient, RelatedPerson
from accounts.principal import Principal
from visits.reminders.models import ContactPreference

Recipient = Patient | RelatedPerson


def opt_out(recipient: Recipient, channel: str, *, principal: Principal | None = None) -> None:
    """Note that the patient, or who acts for them, wants no more by ``channel``; twice is as good as once.

    ``principal`` is who notes it, None where it came by a message.
    """
    _set_opt_out(recipient, channel, principal, is_out=True)


def opt_in(recipient: Recipient, channel: str, *, principal: Principal | None = None) -> None:
    """Take their opt-out back."""
    _set_opt_out(recipient, channel, principal, is_out=False)


def of(recipient: Recipient, channel: str) -> ContactPreference | None:
    """What they said of ``channel``, and whether it works; None when nothing is known."""
    return ContactPreference.objects.filter(**_whose(recipient), channel=channel).first()


@transaction.atomic
def note_bounce(recipient: Recipient, channel: str, address: str) -> None:
    """Mark ``address`` as one that does not work: nothing more is sent there until they have another."""
    known, _ = ContactPreference.objects.get_or_create(**_whose(recipient), channel=channel)
    if known.bounced_address == address:
        return
    known.bounced_at, known.bounced_address = timezone.now(), address
    known.save()
    _audit(recipient, channel, "contact.bounce")


@transaction.atomic
def _set_opt_out(recipient: Recipient, channel: str, principal: Principal | None, *, is_out: bool) -> None:
    known, _ = ContactPreference.objects.get_or_create(**_whose(recipient), channel=channel)
    if (known.opted_out_at is not None) == is_out:
        return
    known.opted_out_at = timezone.now() if is_out else None
    known.save()
    _audit(recipient, channel, "contact.opt-out" if is_out else "contact.opt-in", principal)


def _whose(recipient: Recipient) -> dict[str, Any]:
    if isinstance(recipient, RelatedPerson):
        return {"patient": recipient.patient, "related_person": recipient}
    return {"patient": recipient, "related_person": None}


def _audit(recipient: Recipient, channel: str, subtype: str, principal: Principal | None = None) -> None:
    audit.record(
        subtype,
        AuditEvent.Action.UPDATE,
        principal=principal,
        clinic=recipient.clinic,
        entity=recipient,
        patient=_whose(recipient)["patient"],
        detail={"channel": channel},
    )
