"""What a message says of other visits that were booked together: it is told for as long as that message is."""

from django.db.models import QuerySet

from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import rules

State = Communication.State
Reason = Communication.Reason


def settle(appointment: Appointment) -> None:
    """What the message of another visit says, or is just saying, of this one counts as told from now on."""
    waiting = appointment.communications.filter(state__in=[State.PLANNED, State.CLAIMED], dispatched_at=None)
    said = [row.pk for row in waiting.filter(kind__in=rules.OF_SERIES) if rules.is_named(row)]
    if said:
        waiting.filter(pk__in=said).update(state=State.SUPPRESSED, reason=Reason.IN_SERIES)


def is_as_named(message: Communication) -> bool:
    """Whether the other visits are as the message names them, and stay so until the transaction ends.

    Who changes one of them holds its row: then they are not.
    """
    named = dict(message.details.get("named", []))
    if not named or message.serial:  # what is sent again names those that are as they were then
        return True
    visits = Appointment.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=named)
    status = rules.OF_SERIES[Communication.Kind(message.kind)]
    same = [visit for visit in visits if visit.status == status and visit.revision == named[str(visit.pk)]]
    return len(same) == len(named)


def take_back(message: Communication, reason: Communication.Reason) -> None:
    """The message did not arrive: with it failed what it stood for, unless another one that went out names it, too."""
    others = _same(message).filter(state__in=[State.SENT, State.UNKNOWN]).exclude(pk=message.pk)
    still = {tuple(one) for details in others.values_list("details", flat=True) for one in details.get("named", [])}
    rows = _named(message).filter(state=State.SUPPRESSED, reason=Reason.IN_SERIES)
    lost = [row.pk for row in rows if (str(row.appointment_id), row.revision) not in still]
    Communication.objects.filter(pk__in=lost).update(state=State.FAILED, reason=reason)


def tell_again(message: Communication) -> None:
    """The message, sent again, went out: it stands for what had failed of the others, too."""
    _named(message).filter(state=State.FAILED).update(state=State.SUPPRESSED, reason=Reason.IN_SERIES)


def _named(message: Communication) -> QuerySet[Communication]:
    """What was planned of the other visits that it names, as they were then."""
    named = dict(message.details.get("named", []))
    rows = _same(message).filter(serial=0, appointment__in=named)
    return rows.filter(pk__in=[row.pk for row in rows if row.revision == named[str(row.appointment_id)]])


def _same(message: Communication) -> QuerySet[Communication]:
    """All that says the same to the same person in the same way."""
    return Communication.objects.filter(
        kind=message.kind, channel=message.channel, patient=message.patient_id, related_person=message.related_person
    )
