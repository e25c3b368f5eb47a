"""Offers of an earlier time: the only messages to patients who may have no visit yet."""

from datetime import datetime
from itertools import product

from django.db import transaction
from django.utils import timezone

from accounts.models import Patient, Practitioner
from visits.booking.models import Appointment
from visits.reminders.models import Communication
from visits.reminders.services import rules

State = Communication.State
Reason = Communication.Reason


@transaction.atomic
def offer(
    *,
    patient: Patient,
    practitioner: Practitioner,
    start: datetime,
    until: datetime,
    reference: str,
    appointment: Appointment | None = None,
) -> None:
    """Tell the patient of a free time that is kept for them until ``until``; once for each ``reference``.

    ``appointment`` is the visit that they have already. The link in it is made by what ``settings.MESSAGE_LINKS``
    names for offers.
    """
    now = timezone.now()
    told = [
        one for one in rules.recipients(patient) if one is None or rules.is_told(one, Communication.Kind.OFFER, now)
    ]
    for person, channel in product(told, rules.channels(patient.clinic, Communication.Kind.OFFER)):
        reason = Reason.NONE if rules.address_of(person or patient, channel) else Reason.NO_ADDRESS
        same = Communication.objects.filter(
            patient=patient, related_person=person, kind=Communication.Kind.OFFER, channel=channel
        )
        if same.filter(reference=reference).exists():
            continue
        Communication.objects.create(
            patient=patient,
            related_person=person,
            appointment=appointment,
            revision=appointment.revision if appointment else 0,
            kind=Communication.Kind.OFFER,
            channel=channel,
            serial=same.filter(appointment=appointment).count() if appointment else 0,
            reference=reference,
            details={
                "start": start.isoformat(),
                "until": until.isoformat(),
                "practitioner": str(practitioner.pk),
            },
            due_at=now,
            state=State.SUPPRESSED if reason else State.PLANNED,
            reason=reason,
        )


def call_off_offer(*, reference: str) -> None:
    """The offer is not open any more: what is still planned of it will not be sent."""
    planned = Communication.objects.filter(kind=Communication.Kind.OFFER, reference=reference, state=State.PLANNED)
    planned.update(state=State.SUPPRESSED, reason=Reason.NOT_NEEDED)
