"""What providers report of a message after they took it. Each report may come twice, late, never, or before the
provider's own answer, which the worker still waits for."""

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.audit import services as audit
from accounts.models import AuditEvent
from visits.reminders.models import Communication
from visits.reminders.services import granting, preferences, resending, series

State = Communication.State
Reason = Communication.Reason


def delivered(message: Communication) -> None:
    """It arrived: what was unknown is known now."""
    resending.note_arrival(message, timezone.now())


@transaction.atomic
def failed(message: Communication, *, is_address: bool) -> None:
    """It did not arrive after all; ``is_address``: nobody is at that address, so nothing more goes there."""
    went_out = Communication.objects.filter(resending.IS_OPEN | Q(state=State.SENT), pk=message.pk)
    reason = Reason.BOUNCED if is_address else Reason.REFUSED
    if went_out.update(state=State.FAILED, reason=reason, sent_at=None):
        series.take_back(message, reason)
        if message.kind == Communication.Kind.GRANT:
            granting.tell_otherwise(message)
        audit.record(
            "message.bounce",
            AuditEvent.Action.UPDATE,
            clinic=message.patient.clinic,
            entity=message,
            patient=message.patient,
            outcome=AuditEvent.Outcome.SERIOUS_FAILURE,
            detail={"kind": message.kind, "channel": message.channel, "reason": reason},
        )
    if is_address and message.address:
        preferences.note_bounce(message.recipient, message.channel, message.address)
